#include "runtimes/cpython/forgotten.h"

#include <algorithm>

#include <fmt/format.h>

#include "runtimes/cpython/tasks.h"

namespace ct::cpython {
namespace {

constexpr std::size_t kMaxFailures = 4096;
constexpr std::size_t kMaxCreated = 1 << 16;
constexpr std::size_t kMaxUnawaited = 16'384;
constexpr std::size_t kMaxSuspended = 2 << 20;
constexpr std::size_t kMaxTaken = 2 << 20;
constexpr std::size_t kMaxTraceback = 128;  // frames of one
constexpr std::size_t kMaxArguments = 8;
constexpr std::size_t kMaxText = 200;  // bytes of a message
constexpr int kMaxBases = 32;

// FutureObj of Modules/_asynciomodule.c, 3.11 to 3.15.
constexpr std::uint64_t kFutureException = 48;
constexpr std::uint64_t kFutureTraceback = 56;
constexpr std::uint64_t kFutureSource = 72;
constexpr std::int32_t kPending = 0;
constexpr std::int32_t kFinished = 2;
// PyBaseExceptionObject, PyTracebackObject, PyFrameObject.f_frame, PyCoroWrapper.cw_coroutine.
constexpr std::uint64_t kExceptionArguments = 24;
constexpr std::uint64_t kExceptionTraceback = 40;
constexpr std::uint64_t kTracebackNext = 16;
constexpr std::uint64_t kTracebackFrame = 24;
constexpr std::uint64_t kTracebackInstruction = 32;  // int, bytes from the first one
constexpr std::uint64_t kFrameOfObject = 24;
constexpr std::uint64_t kWrappedCoroutine = 16;

bool HasBegun(GeneratorState state) {
  return state != GeneratorState::kCreated && state != GeneratorState::kFinished &&
         state != GeneratorState::kUnreadable;
}

}  // namespace

void ForgottenReader::SortFuture(Address future, Kind kind) {
  const Offsets& offsets = heap_.offsets();
  const auto state = heap_.Value<std::int32_t>(future + offsets.task_state);
  if (!state) return;
  if (*state == kPending && kind == Kind::kTask && taken_.size() < kMaxTaken) {
    // Its own coroutine will begin, and what it waits for it will ask when it goes on.
    taken_.insert(heap_.Word(future + offsets.task_coroutine));
    taken_.insert(heap_.Word(future + offsets.task_waiter));
  }
  if (*state != kFinished || heap_.Word(future + kFutureException) == 0) return;
  if ((heap_.Value<std::uint8_t>(future + offsets.future_log_tb).value_or(0) & 1) == 0) return;
  if (failed_.size() < kMaxFailures) {
    failed_.insert(future);
  } else {
    heap_.skips().Add("exceptions that nobody has asked for, beyond the limit");
  }
}

void ForgottenReader::SortCoroutine(Address coroutine) {
  const GeneratorState state = frames_.StateOf(coroutine, {});
  if (state == GeneratorState::kCreated && heap_.KindOf(coroutine) == Kind::kCoroutine) {
    if (created_.size() < kMaxCreated) {
      created_.insert(coroutine);
    } else {
      heap_.skips().Add("coroutines that have not begun, beyond the limit");
    }
  } else if (HasBegun(state)) {
    if (suspended_.size() < kMaxSuspended) suspended_.push_back(coroutine);
  }
}

void ForgottenReader::Sort(Address object, Address type) {
  const auto known = kinds_.find(type);
  Kind kind = known != kinds_.end() ? known->second : Kind::kOther;
  if (known == kinds_.end()) {
    const Type* read = heap_.TypeOf(object);
    if (read == nullptr || read->address != type) return;  // it has changed meanwhile
    kind = read->kind;
    kinds_.emplace(type, kind);
  }
  switch (kind) {
    case Kind::kFuture:
    case Kind::kTask:
      return SortFuture(object, kind);
    case Kind::kCoroutine:
    case Kind::kGenerator:
    case Kind::kAsyncGenerator:
      return SortCoroutine(object);
    case Kind::kCoroutineWrapper:
      if (taken_.size() < kMaxTaken) taken_.insert(heap_.Word(object + kWrappedCoroutine));
      return;
    default:
      return;
  }
}

std::string ForgottenReader::TextOf(Address argument) {
  if (auto text = heap_.Str(argument, kMaxText)) return *text;
  if (const auto number = heap_.Int(argument)) return std::to_string(*number);
  if (const auto number = heap_.Float(argument)) return fmt::format("{}", *number);
  const Type* type = heap_.TypeOf(argument);
  return type != nullptr ? fmt::format("<{}>", type->name) : "?";
}

// As str() of it, but for classes with a __str__ of their own.
std::string ForgottenReader::MessageOf(Address exception) {
  const Address arguments = heap_.Word(exception + kExceptionArguments);
  const auto all = heap_.RawElements(arguments, kMaxArguments);
  if (all.empty()) return "";
  if (all.size() == 1) return TextOf(all[0]);
  if (all.size() == 2 && heap_.KindOf(all[0]) == Kind::kInt &&
      heap_.KindOf(all[1]) == Kind::kStr) {  // OSError
    return fmt::format("[Errno {}] {}", TextOf(all[0]), TextOf(all[1]));
  }
  std::string text;
  for (const Address argument : all) text += (text.empty() ? "(" : ", ") + TextOf(argument);
  return text.substr(0, kMaxText) + ")";
}

std::vector<PythonFrame> ForgottenReader::TracebackOf(Address traceback) {
  std::vector<PythonFrame> stack;
  for (std::size_t i = 0; i < kMaxTraceback; ++i) {
    const Type* type = heap_.TypeOf(traceback);
    if (type == nullptr || type->name != "traceback") break;
    const Address object = heap_.Word(traceback + kTracebackFrame);
    auto frame = frames_.At(heap_.Word(object + kFrameOfObject));
    const auto at = heap_.Value<std::int32_t>(traceback + kTracebackInstruction);
    if (frame && frame->code != nullptr && at && *at >= 0) {
      frame->instruction = frame->code->bytecode + static_cast<std::uint32_t>(*at);
      stack.push_back(frames_.Describe(*frame));
    }
    traceback = heap_.Word(traceback + kTracebackNext);
  }
  std::reverse(stack.begin(), stack.end());
  return stack;
}

// A traceback.StackSummary, which asyncio's debug mode keeps: a list of FrameSummary.
std::vector<PythonFrame> ForgottenReader::CreationOf(Address summary) {
  std::vector<PythonFrame> stack;
  for (const Address entry : heap_.Elements(summary, kMaxTraceback)) {
    const auto function = heap_.Str(heap_.Attribute(entry, "name"), kMaxText);
    const auto file = heap_.Str(heap_.Attribute(entry, "filename"), 4096);
    const auto line = heap_.Int(heap_.Attribute(entry, "lineno"));
    if (!function || !file || !line) continue;
    const auto code = codes_.Named({*function, *file});
    if (!code) break;
    PythonFrame frame;
    frame.code = *code;
    frame.line = static_cast<std::uint32_t>(std::clamp<std::int64_t>(*line, 0, INT32_MAX));
    stack.push_back(frame);
  }
  std::reverse(stack.begin(), stack.end());
  return stack;
}

PythonFailure ForgottenReader::Describe(Address future) {
  PythonFailure failure;
  failure.future = future;
  failure.is_task = heap_.KindOf(future) == Kind::kTask;
  if (failure.is_task) failure.name = TaskName(heap_, future);
  const Address exception = heap_.Word(future + kFutureException);
  const Type* type = heap_.TypeOf(exception);
  failure.type = type != nullptr ? type->name : "?";
  failure.message = MessageOf(exception);
  // A future that was given an exception has no traceback of its own.
  const Address own = heap_.Word(future + kFutureTraceback);
  failure.raised = TracebackOf(own != 0 ? own : heap_.Word(exception + kExceptionTraceback));
  failure.created = CreationOf(heap_.Word(future + kFutureSource));
  return failure;
}

void ForgottenReader::Read(const InterpreterView& interpreter, PythonProcess& out) {
  for (auto* set : {&failed_, &created_, &taken_}) set->clear();
  suspended_.clear();
  const bool walked =
      walk_.Walk(interpreter.address, [this](Address object, Address type) { Sort(object, type); });
  found_all_ = walked && suspended_.size() < kMaxSuspended;
  for (const Address taken : taken_) {
    created_.erase(taken);
    failed_.erase(taken);
  }
  Referrers referrers;
  for (const auto* set : {&failed_, &created_}) {
    for (const Address address : *set) referrers.emplace(address, Referrer());
  }
  if (referrers.empty()) return;
  const bool complete =
      ReferrerFinder(heap_, frames_, walk_, referrers).Find(interpreter, suspended_) &&
      found_all_ && taken_.size() < kMaxTaken;
  std::vector<Address> failed(failed_.begin(), failed_.end());
  std::sort(failed.begin(), failed.end());
  for (const Address future : failed) {
    Referrer& referrer = referrers.at(future);
    if (referrer.waited_for) continue;
    PythonFailure failure = Describe(future);
    failure.referrer = std::move(referrer.name);
    failure.may_be_asked_for = referrer.live || !complete;
    out.failures.push_back(std::move(failure));
  }
  std::vector<Address> created(created_.begin(), created_.end());
  std::sort(created.begin(), created.end());
  std::uint64_t unknown = 0;
  for (const Address coroutine : created) {
    Referrer& referrer = referrers.at(coroutine);
    if (referrer.live) continue;
    if (!complete || referrer.name.empty()) {
      ++unknown;
      continue;
    }
    const auto frame = frames_.OfGenerator(coroutine);
    if (!frame || frame->code == nullptr) continue;
    if (out.unawaited.size() >= kMaxUnawaited) {
      heap_.skips().Add("coroutines that nobody awaits, beyond the limit");
      break;
    }
    out.unawaited.push_back(
        {coroutine, frame->code->index, frame->code->first_line, std::move(referrer.name)});
  }
  if (unknown > 0) {
    heap_.skips().Add("coroutines that have not begun, of whom nobody is known to await them",
                      unknown);
  }
}

}  // namespace ct::cpython
