// A program that has CPython as a library inside: embedded_python LIBPYTHON [PYTHON'S ARGUMENTS].
#include <dlfcn.h>

#include <cstdio>

#include "tests/targets/target.h"

int main(int argc, char** argv) {
  DieWithParent();
  if (argc < 2) return 2;
  void* const library = dlopen(argv[1], RTLD_NOW | RTLD_GLOBAL);
  if (library == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  // Include/pylifecycle.h: int Py_BytesMain(int argc, char **argv), since 3.8.
  using Main = int (*)(int, char**);
  const auto run = reinterpret_cast<Main>(dlsym(library, "Py_BytesMain"));
  if (run == nullptr) return 1;
  argv[1] = argv[0];
  return run(argc - 1, argv + 1);
}
