// Five philosophers, each with the left fork in hand, wait for the right one.
#include <algorithm>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "tests/targets/target.h"

namespace {

constexpr int kPhilosophers = 5;
pthread_barrier_t all_have_left;
// On the heap: locks without a name.
std::vector<std::mutex> forks(kPhilosophers);

void Dine(int seat) {
  NameThread(("seat" + std::to_string(seat)).c_str());
  forks[seat].lock();
  pthread_barrier_wait(&all_have_left);
  forks[(seat + 1) % kPhilosophers].lock();  // LINE: seat waits
  abort();
}

void DineInOrder(int seat) {
  NameThread(("seat" + std::to_string(seat)).c_str());
  const int other = (seat + 1) % kPhilosophers;
  for (;;) {
    {
      const std::lock_guard<std::mutex> first(forks[std::min(seat, other)]);
      const std::lock_guard<std::mutex> second(forks[std::max(seat, other)]);
      Work();
    }
    Rest();
  }
}

}  // namespace

int main(int argc, char** argv) {
  DieWithParent();
  pthread_barrier_init(&all_have_left, nullptr, kPhilosophers);
  std::vector<std::thread> threads;
  for (int seat = 0; seat < kPhilosophers; ++seat) {
    threads.emplace_back(HasOption(argc, argv, "--healthy") ? DineInOrder : Dine, seat);
  }
  Ready();
  Park();
}
