// From the catalog, and what of it a process has, to the probes that follow its holds. Pure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "model/hold_probe.h"
#include "probes/catalog.h"
#include "reader/reader.h"

namespace ct {

// The probes of one family, in the order in which they are to be armed: releases before acquires,
// so that nothing seems held whose release came too early.
struct FamilyProbes {
  std::string family;
  std::vector<HoldProbe> probes;
};

struct ProbeSelection {
  std::vector<FamilyProbes> families;
  // One line each: functions, or whole families, that are there and cannot be followed.
  std::vector<std::string> refused;
};

// `found` answers QueriesOf(catalog) (reader/catalog_queries.h). A family that the process has
// nothing of is left out; so is one that has no acquire, or no release, that can be probed
// (refused, if it has some of it).
ProbeSelection SelectProbes(std::span<const CatalogFamily> catalog,
                            std::span<const FunctionFound> found);

}  // namespace ct
