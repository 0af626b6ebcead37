// How many instructions this kernel's verifier goes through for each program of an object file: old
// kernels take more ways apart, and give up at a million. One line a program: its name, the number.
// Each is loaded for itself; of none is anything attached.
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include <bpf/libbpf.h>

namespace {

int Quiet(libbpf_print_level, const char*, va_list) { return 0; }

std::vector<std::string> ProgramsOf(const char* file) {
  std::vector<std::string> names;
  bpf_object* const object = bpf_object__open(file);
  if (object == nullptr) return names;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) names.emplace_back(bpf_program__name(program));
  bpf_object__close(object);
  return names;
}

// -1: it does not load.
long Verified(const char* file, const std::string& name) {
  constexpr unsigned kStatisticsOnly = 4;  // include/linux/bpf_verifier.h: BPF_LOG_STATS
  static char log[1 << 16];
  bpf_object* const object = bpf_object__open(file);
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, object) {
    bpf_program__set_autoload(program, bpf_program__name(program) == name);
  }
  program = bpf_object__find_program_by_name(object, name.c_str());
  log[0] = '\0';
  bpf_program__set_log_buf(program, log, sizeof(log));
  bpf_program__set_log_level(program, kStatisticsOnly);
  const int error = bpf_object__load(object);
  const char* const processed = std::strstr(log, "processed ");
  long instructions = -1;
  if (error != 0 || processed == nullptr ||
      std::sscanf(processed, "processed %ld insns", &instructions) != 1) {
    std::fprintf(stderr, "%s: %s\n%s\n", name.c_str(), std::strerror(-error), log);
    instructions = -1;
  }
  bpf_object__close(object);
  return instructions;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  libbpf_set_print(Quiet);
  const std::vector<std::string> programs = ProgramsOf(argv[1]);
  bool all = !programs.empty();
  for (const std::string& name : programs) {
    const long instructions = Verified(argv[1], name);
    all = all && instructions >= 0;
    std::printf("%s %ld\n", name.c_str(), instructions);
  }
  return all ? 0 : 1;
}
