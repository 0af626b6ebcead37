// Demangled names, shortened for a line of text.
#pragma once

#include <string>
#include <string_view>

namespace ct {

// "AccountStore::debit" of "void AccountStore::debit<long>(long) const": without return type,
// template arguments, parameters, qualifiers and anonymous namespaces. Names that it does not
// understand come back unchanged.
std::string ShortFunction(std::string_view demangled);

// "parse.<genexpr>" of Python's qualified name "parse.<locals>.<genexpr>".
std::string ShortPythonFunction(std::string_view qualified);

}  // namespace ct
