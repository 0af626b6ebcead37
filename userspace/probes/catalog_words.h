// The words of a catalog, and what they mean.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "probes/catalog.h"

namespace ct {

// How an acquire is known to have succeeded.
struct Success {
  SuccessRule rule = SuccessRule::kReturns;
  ReturnValue value = ReturnValue::kAny;
};

template <class T>
struct CatalogWord {
  std::string_view word;
  T means;
};

// All words of one kind of thing; specialized in catalog_words.cc.
template <class T>
std::optional<T> FromWord(std::string_view word);
// "acquire, try acquire, release, ..."
template <class T>
std::string AllWords();

}  // namespace ct
