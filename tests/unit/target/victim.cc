// Compiled with debug information and mangled by hostile_elf_test.cc.
#include <cstdio>
#include <stdexcept>
#include <string>
#include <vector>

namespace victim {

int g_counter = 0;

inline int Twice(int value) { return value * 2; }

struct Account {
  std::vector<int> entries;
  __attribute__((noinline)) int Total() const {
    int total = 0;
    for (const int entry : entries) total += Twice(entry);
    return total;
  }
};

__attribute__((noinline)) int Withdraw(Account& account, int amount) {
  if (account.Total() < amount) throw std::runtime_error("not enough");
  account.entries.push_back(-amount);
  return g_counter += account.Total();
}

}  // namespace victim

extern "C" int VictimEntry(int amount) {
  victim::Account account{{1, 2, 3}};
  try {
    return victim::Withdraw(account, amount);
  } catch (const std::exception& error) {
    return std::printf("%s", error.what());
  }
}
