// Findings about a pool: who has its units and who waits for them.
#pragma once

#include <string>

#include "model/finding.h"
#include "render/text_context.h"

namespace ct {

// The one pool that the finding is about; kNoIndex: none, or it is about more than that.
ResourceIndex PoolOf(const TextContext& context, const Finding& finding);

// "asyncpg pool 10/10: all 10 holders wait for it".
std::string PoolHeadline(const TextContext& context, const Finding& finding, ResourceIndex pool);

// The holders by what they do and where, then those who hold nothing and wait.
std::string PoolRows(TextContext& context, const Finding& finding, ResourceIndex pool);

}  // namespace ct
