#include "runtimes/cpython/anyio_scopes.h"

#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fake_heap.h"

namespace ct::cpython {
namespace {

// Cancel scopes one inside another, and the task that is in the innermost.
class ScopesOfAnyio : public testing::Test {
 protected:
  struct Scope {
    double deadline = 0;
    bool shield = false;
    bool active = true;
    bool cancelled = false;
  };
  Address Bool(bool value) {
    const Address object = fake_.New(32, bool_);
    fake_.memory.Write<std::int64_t>(object + 16, value ? 1 : 0);
    fake_.memory.Write<std::uint32_t>(object + 24, value ? 1 : 0);
    return object;
  }
  Address Instance(Address type, const std::vector<std::pair<std::string, Address>>& attributes) {
    const Address object = fake_.New(64, type);
    fake_.memory.Write(object + 16, fake_.Dict(attributes));
    return object;
  }
  Address InstanceType(const std::string& module, const std::string& name) {
    const Address type = fake_.NewType(name, 1 << 9);
    fake_.memory.Write<std::int64_t>(type + 288, 16);
    fake_.memory.Write(type + 264, fake_.Dict({{"__module__", fake_.Str(module)}}));
    return type;
  }
  // The outermost first.
  Address Nested(const std::vector<Scope>& scopes) {
    Address parent = none_;
    for (const Scope& scope : scopes) {
      const Address deadline = fake_.New(24, float_);
      fake_.memory.Write(deadline + 16, scope.deadline);
      parent = Instance(scope_, {{"_deadline", deadline},
                                 {"_shield", Bool(scope.shield)},
                                 {"_active", Bool(scope.active)},
                                 {"_cancel_called", Bool(scope.cancelled)},
                                 {"_parent_scope", parent}});
    }
    return parent;
  }
  // Of the task that `innermost` is the scope of.
  PythonTask Read(Address innermost, std::optional<double> deadline = {}) {
    const Address key = fake_.New(48, fake_.NewType("weakref.ReferenceType", 0));
    fake_.memory.Write(key + 16, task_);
    const Address state = Instance(InstanceType("anyio._backends._asyncio", "TaskState"),
                                   {{"cancel_scope", innermost}});
    const Address table = fake_.Dict({{"task", state}});
    const Address keys = fake_.heap.Word(table + 32);
    fake_.memory.Write(keys + 32 + 64, key);  // of the only entry
    const Address states =
        Instance(InstanceType("weakref", "WeakKeyDictionary"), {{"data", table}});
    const Address module = fake_.New(64, fake_.NewType("module", 0));
    fake_.memory.Write(module + 16, fake_.Dict({{"_task_states", states}}));
    AnyioScopes scopes(fake_.heap);
    scopes.Find(fake_.Dict({{"anyio._backends._asyncio", module}}));
    PythonTask task;
    task.address = task_;
    task.deadline = deadline;
    task.frames.resize(3);
    task.frames[1].holds.push_back({.type = "Scope", .object = held_});
    scopes.LowerDeadline(task);
    return task;
  }

  FakeHeap fake_;
  Address bool_ = fake_.NewType("bool", 1 << 24);
  Address float_ = fake_.NewType("float", 0);
  Address none_ = fake_.New(16, fake_.NewType("NoneType", 0));
  Address scope_ = InstanceType("anyio._backends._asyncio", "CancelScope");
  Address task_ = fake_.New(200, fake_.NewType("_asyncio.Task", 0));
  Address held_ = 0;
};

TEST_F(ScopesOfAnyio, LowerTheDeadlineToTheEarliest) {
  EXPECT_EQ(Read(Nested({{.deadline = 5}, {.deadline = 7}})).deadline, 5);
  EXPECT_EQ(Read(Nested({{.deadline = 5}}), 4).deadline, 4);
  EXPECT_EQ(Read(Nested({{.deadline = std::numeric_limits<double>::infinity()}})).deadline,
            std::nullopt);
  EXPECT_EQ(Read(none_).deadline, std::nullopt);
}

TEST_F(ScopesOfAnyio, NameTheFrameThatIsInIt) {
  held_ = Nested({{.deadline = 5}});
  EXPECT_EQ(Read(held_).deadline_frame, 1U);
  const Address inner = Nested({{.deadline = 5}});
  EXPECT_EQ(Read(inner).deadline_frame, 2U);  // another task's
}

TEST_F(ScopesOfAnyio, EndNothingWhereTheyAreOver) {
  EXPECT_EQ(Read(Nested({{.deadline = 5, .active = false}, {.deadline = 7}})).deadline, 7);
  EXPECT_EQ(Read(Nested({{.deadline = 5, .cancelled = true}, {.deadline = 7}})).deadline, 7);
}

TEST_F(ScopesOfAnyio, DoNotReachIntoAShield) {
  EXPECT_EQ(
      Read(Nested({{.deadline = 5}, {.deadline = 7, .shield = true}, {.deadline = 9}})).deadline,
      7);
}

TEST_F(ScopesOfAnyio, AreABoundedChain) {
  const Address scope = Nested({{.deadline = 5}});
  const Address attributes = fake_.heap.Word(scope + 16);
  const Address keys = fake_.heap.Word(attributes + 32);
  fake_.memory.Write(keys + 32 + 64 + 4 * 16 + 8, scope);  // its own parent
  ASSERT_EQ(fake_.heap.Attribute(scope, "_parent_scope"), scope);
  EXPECT_EQ(Read(scope).deadline, 5);
}

}  // namespace
}  // namespace ct::cpython
