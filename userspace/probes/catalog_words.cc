#include "probes/catalog_words.h"

#include <array>

#include "model/names.h"

namespace ct {
namespace {

template <class T>
struct Words;

template <>
struct Words<HoldRole> {
  static constexpr std::array<CatalogWord<HoldRole>, 6> kAll = {{
      {"acquire", HoldRole::kAcquire},
      {"try acquire", HoldRole::kTryAcquire},
      {"release", HoldRole::kRelease},
      {"condition wait", HoldRole::kConditionWait},
      {"begin", HoldRole::kBegin},
      {"end", HoldRole::kEnd},
  }};
};

template <>
struct Words<ResourceKind> {
  static constexpr std::array<CatalogWord<ResourceKind>, 4> kAll = {{
      {"mutex", ResourceKind::kMutex},
      {"rwlock", ResourceKind::kRwLock},
      {"semaphore", ResourceKind::kSemaphore},
      {"pool", ResourceKind::kPool},
  }};
};

template <>
struct Words<AccessMode> {
  static constexpr std::array<CatalogWord<AccessMode>, 2> kAll = {{
      {"exclusive", AccessMode::kExclusive},
      {"shared", AccessMode::kShared},
  }};
};

template <>
struct Words<Success> {
  static constexpr std::array<CatalogWord<Success>, 7> kAll = {{
      {"always", {SuccessRule::kReturns, ReturnValue::kAny}},
      {"owner", {SuccessRule::kOwnerWord, ReturnValue::kAny}},
      {"returns", {SuccessRule::kReturnValue, ReturnValue::kAny}},
      {"zero", {SuccessRule::kReturnValue, ReturnValue::kZero}},
      {"nonzero", {SuccessRule::kReturnValue, ReturnValue::kNonZero}},
      {"one", {SuccessRule::kReturnValue, ReturnValue::kOne}},
      {"true", {SuccessRule::kReturnValue, ReturnValue::kTrue}},
  }};
};

// As they are printed: one list of names for both directions.
template <>
struct Words<Implementation> {
  static std::array<CatalogWord<Implementation>, 10> All() {
    std::array<CatalogWord<Implementation>, 10> all;
    for (std::size_t i = 0; i < all.size(); ++i) {
      const auto means = static_cast<Implementation>(i);
      all[i] = {ToString(means), means};
    }
    return all;
  }
};

template <class T>
auto AllOf() {
  if constexpr (requires { Words<T>::All(); }) {
    return Words<T>::All();
  } else {
    return Words<T>::kAll;
  }
}

}  // namespace

template <class T>
std::optional<T> FromWord(std::string_view word) {
  for (const auto& known : AllOf<T>()) {
    if (known.word == word) return known.means;
  }
  return std::nullopt;
}

template <class T>
std::string AllWords() {
  std::string all;
  for (const auto& known : AllOf<T>()) {
    if (!all.empty()) all += ", ";
    all += known.word;
  }
  return all;
}

template std::optional<HoldRole> FromWord<HoldRole>(std::string_view);
template std::optional<ResourceKind> FromWord<ResourceKind>(std::string_view);
template std::optional<AccessMode> FromWord<AccessMode>(std::string_view);
template std::optional<Success> FromWord<Success>(std::string_view);
template std::optional<Implementation> FromWord<Implementation>(std::string_view);
template std::string AllWords<HoldRole>();
template std::string AllWords<ResourceKind>();
template std::string AllWords<AccessMode>();
template std::string AllWords<Success>();
template std::string AllWords<Implementation>();

}  // namespace ct
