// Small words of the text renderer.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "render/text_context.h"

namespace ct {

std::string Plural(std::uint64_t count, std::string_view noun);  // "1 mutex", "2 mutexes"

// "31 threads", "2 tasks", "5 threads and tasks".
std::string CountActors(const TextContext& context, const std::vector<ActorIndex>& actors);

// One by name; of several who work for requests "8 x GET /orders/{id}, 3 x POST /pay", the others
// as CountActors() has them.
std::string NameActors(const TextContext& context, const std::vector<ActorIndex>& actors);

// "2 mutexes, 1 rwlock", each resource once.
std::string CountResources(const TextContext& context, const std::vector<ResourceIndex>& resources);

// "no timeout", "may end", ...: for the first line of a finding.
std::string EndingInShort(const TextContext& context, const Finding& finding);
// "Will not end by itself; restart needed.": empty for an ordinary wait.
std::string EndingSentence(const TextContext& context, const Finding& finding);

// "order-svc, pid 977, c++, CPU 0.4 %".
std::string DescribeProcess(const Process& process);
// "order-svc (977)".
std::string ShortProcess(const Process& process);

// "created in submit  app.py:31 < handle  app.py:12": the reader's own frames of the stack that
// made a task, innermost first, with `full` more of them; empty where it is not known.
std::string CreatedText(const TextContext& context, StackIndex created_at);

// " (probable: last releaser)" where an edge is less than certain, else empty.
std::string DoubtOf(Evidence evidence);

}  // namespace ct
