// A library with functions that are found by name: function_names_test.cc.
#include <string>
#include <vector>

namespace app {
inline namespace v1 {

struct Lease {
  int unit = 0;
};

class Pool {
 public:
  Pool();
  virtual ~Pool();
  Lease* acquire();
  Lease* acquire(int timeout_ms);
  Lease* acquire(const std::string& name, std::vector<int> weights) const;
  virtual void release(Lease* lease);
  bool operator()(int unit);

 private:
  std::vector<Lease> leases_;
};

template <class T>
class Shelf {
 public:
  T* take(unsigned int index);
};

}  // namespace v1

namespace {
struct Hidden {
  __attribute__((noinline)) int acquire(int unit);
};
}  // namespace
int CallHidden(int unit);
void acquire_unit(int unit);

}  // namespace app

namespace app {
inline namespace v1 {

Pool::Pool() : leases_(3) {}
Pool::~Pool() = default;
Lease* Pool::acquire() { return &leases_[0]; }
Lease* Pool::acquire(int timeout_ms) { return timeout_ms > 0 ? &leases_[1] : nullptr; }
Lease* Pool::acquire(const std::string& name, std::vector<int> weights) const {
  return name.size() > weights.size() ? const_cast<Lease*>(&leases_[2]) : nullptr;
}
void Pool::release(Lease* lease) { lease->unit = 0; }
bool Pool::operator()(int unit) { return leases_[0].unit == unit; }

template <class T>
T* Shelf<T>::take(unsigned int index) {
  static T things[4];
  return &things[index % 4];
}
template class Shelf<int>;
template class Shelf<Lease>;

}  // namespace v1

namespace {
int Hidden::acquire(int unit) {
  asm volatile("" ::"r"(this) : "memory");  // an argument that is used stays one
  return unit + 1;
}
}  // namespace
int CallHidden(int unit) { return Hidden().acquire(unit); }
void acquire_unit(int unit) { CallHidden(unit); }

}  // namespace app

extern "C" {

int victim_lock(int value) { return value * 3; }
int victim_lock_alias(int value) __attribute__((alias("victim_lock")));

// As the compiler leaves behind what it made for callers whose arguments it knew.
int victim_clone() asm("victim_specialized.constprop.0");
int victim_clone() { return 5; }

}  // extern "C"

// Two functions without a size, as some assembler has them.
asm(R"(
  .text
  .globl victim_unsized
  .type victim_unsized, @function
victim_unsized:
  nop
  nop
  ret
  .globl victim_unsized_next
  .type victim_unsized_next, @function
victim_unsized_next:
  ret
)");
