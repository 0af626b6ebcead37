#include "target/dwarf_expression.h"

#include <dwarf.h>

#include <array>
#include <limits>
#include <utility>

namespace ct {
namespace {

class Machine {
 public:
  explicit Machine(const ExpressionContext& context) : context_(context) {}

  std::optional<std::uint64_t> Run(std::span<const Dwarf_Op> operations) {
    for (const Dwarf_Op& operation : operations) {
      if (!Step(operation)) return std::nullopt;
    }
    return Pop();
  }

 private:
  static constexpr std::size_t kMaxDepth = 64;

  bool Push(std::uint64_t value) {
    if (depth_ == kMaxDepth) return false;
    stack_[depth_++] = value;
    return true;
  }
  bool Push(std::optional<std::uint64_t> value) { return value && Push(*value); }
  std::optional<std::uint64_t> Pop() {
    if (depth_ == 0) return std::nullopt;
    return stack_[--depth_];
  }
  bool PushRegister(std::uint64_t reg, std::uint64_t offset) {
    if (reg >= kX86RegisterCount || (context_.known_registers >> reg & 1) == 0) return false;
    return Push(context_.registers.dwarf[reg] + offset);
  }
  bool Pick(std::uint64_t index) { return index < depth_ && Push(stack_[depth_ - 1 - index]); }
  bool Dereference(std::uint64_t size) {
    const auto address = Pop();
    std::uint64_t value = 0;
    if (!address || size == 0 || size > sizeof(value)) return false;
    const auto out = std::as_writable_bytes(std::span(&value, 1)).first(size);
    return context_.memory.Read(*address, out) == size && Push(value);
  }

  bool Step(const Dwarf_Op& operation) {
    const unsigned atom = operation.atom;
    if (atom >= DW_OP_lit0 && atom <= DW_OP_lit31) return Push(std::uint64_t{atom - DW_OP_lit0});
    if (atom >= DW_OP_breg0 && atom <= DW_OP_breg31) {
      return PushRegister(atom - DW_OP_breg0, operation.number);
    }
    switch (atom) {
      case DW_OP_addr:
      case DW_OP_const1u:
      case DW_OP_const1s:
      case DW_OP_const2u:
      case DW_OP_const2s:
      case DW_OP_const4u:
      case DW_OP_const4s:
      case DW_OP_const8u:
      case DW_OP_const8s:
      case DW_OP_constu:
      case DW_OP_consts:
        return Push(std::uint64_t{operation.number});
      case DW_OP_bregx:
        return PushRegister(operation.number, operation.number2);
      case DW_OP_call_frame_cfa:
        return Push(context_.cfa);
      case DW_OP_nop:
        return true;
      case DW_OP_dup:
        return Pick(0);
      case DW_OP_over:
        return Pick(1);
      case DW_OP_pick:
        return Pick(operation.number);
      case DW_OP_drop:
        return Pop().has_value();
      case DW_OP_swap:
        if (depth_ < 2) return false;
        std::swap(stack_[depth_ - 1], stack_[depth_ - 2]);
        return true;
      case DW_OP_deref:
        return Dereference(sizeof(std::uint64_t));
      case DW_OP_deref_size:
        return Dereference(operation.number);
      default:
        return Unary(atom, operation.number) || Binary(atom);
    }
  }

  bool Unary(unsigned atom, std::uint64_t operand) {
    if (depth_ == 0) return false;
    std::uint64_t& top = stack_[depth_ - 1];
    switch (atom) {
      case DW_OP_plus_uconst:
        top += operand;
        return true;
      case DW_OP_neg:
        top = 0 - top;
        return true;
      case DW_OP_not:
        top = ~top;
        return true;
      case DW_OP_abs:
        if (static_cast<std::int64_t>(top) < 0) top = 0 - top;
        return true;
      default:
        return false;
    }
  }

  bool Binary(unsigned atom) {
    if (depth_ < 2) return false;
    const std::uint64_t right = stack_[depth_ - 1];
    const std::uint64_t left = stack_[depth_ - 2];
    const auto value = Combine(atom, left, right);
    if (!value) return false;
    depth_ -= 2;
    return Push(*value);
  }

  static std::optional<std::uint64_t> Combine(unsigned atom, std::uint64_t left,
                                              std::uint64_t right) {
    constexpr std::uint64_t kBits = 64;
    const auto signed_left = static_cast<std::int64_t>(left);
    const auto signed_right = static_cast<std::int64_t>(right);
    switch (atom) {
      case DW_OP_and:
        return left & right;
      case DW_OP_or:
        return left | right;
      case DW_OP_xor:
        return left ^ right;
      case DW_OP_plus:
        return left + right;
      case DW_OP_minus:
        return left - right;
      case DW_OP_mul:
        return left * right;
      case DW_OP_mod:
        if (right == 0) return std::nullopt;
        return left % right;
      case DW_OP_div:
        if (right == 0) return std::nullopt;
        if (signed_right == -1) return 0 - left;
        return static_cast<std::uint64_t>(signed_left / signed_right);
      case DW_OP_shl:
        return right < kBits ? left << right : 0;
      case DW_OP_shr:
        return right < kBits ? left >> right : 0;
      case DW_OP_shra:
        return static_cast<std::uint64_t>(signed_left >> (right < kBits ? right : kBits - 1));
      case DW_OP_eq:
        return left == right;
      case DW_OP_ne:
        return left != right;
      case DW_OP_ge:
        return signed_left >= signed_right;
      case DW_OP_gt:
        return signed_left > signed_right;
      case DW_OP_le:
        return signed_left <= signed_right;
      case DW_OP_lt:
        return signed_left < signed_right;
      default:
        return std::nullopt;
    }
  }

  const ExpressionContext& context_;
  std::array<std::uint64_t, kMaxDepth> stack_;  // only [0, depth_) is written
  std::size_t depth_ = 0;
};

}  // namespace

std::optional<std::uint64_t> Evaluate(std::span<const Dwarf_Op> operations,
                                      const ExpressionContext& context) {
  return Machine(context).Run(operations);
}

}  // namespace ct
