// What a loop's thread waits for, and who has it, as one phrase.
#pragma once

#include <string>

#include "runtimes/python_process.h"

namespace ct {

// "thread worker (4243) in crunch images.py:12".
std::string DescribeThread(const PythonProcess& process, const PythonThread& thread);

// "threading.Lock held by thread worker (4243) in store shop.py:12"; empty if nothing is known.
std::string DescribeLock(const PythonProcess& process, const PythonThread& waiter);

}  // namespace ct
