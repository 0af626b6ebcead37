/* What every target shares. A target is a small program with a known answer: it prints facts
 * ("child=123"), then READY, reaches its state and stays in it until it is killed. With --healthy
 * it has the same structure with the mistake taken out, and keeps working for ever.
 * Tests find source lines by their comment "LINE: name", so lines may move.
 * C, so that the musl targets can use it too. */
#pragma once

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/prctl.h>

/* True if the word was given on the command line. */
static inline int HasOption(int argc, char** argv, const char* option) {
  for (int i = 1; i < argc; ++i) {
    if (strcmp(argv[i], option) == 0) return 1;
  }
  return 0;
}

/* The number in "--option=123", or `otherwise`. */
static inline long NumberOption(int argc, char** argv, const char* option, long otherwise) {
  const size_t length = strlen(option);
  for (int i = 1; i < argc; ++i) {
    if (strncmp(argv[i], option, length) == 0 && argv[i][length] == '=') {
      return strtol(argv[i] + length + 1, NULL, 10);
    }
  }
  return otherwise;
}

/* A target never outlives who started it; no timer or handler, which would be a way to be woken. */
static inline void DieWithParent(void) { prctl(PR_SET_PDEATHSIG, SIGKILL); }

static inline void NameThread(const char* name) { prctl(PR_SET_NAME, name); }

static inline void Fact(const char* name, long value) {
  printf("%s=%ld\n", name, value);
  fflush(stdout);
}

static inline void Ready(void) {
  printf("READY\n");
  fflush(stdout);
}

/* For targets that begin at SIGUSR1, once whoever looks at them is ready. The first goes before any
 * thread is made. */
static inline void HoldBack(void) {
  sigset_t begin;
  sigemptyset(&begin);
  sigaddset(&begin, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &begin, NULL);
}

static inline void AwaitBegin(void) {
  sigset_t begin;
  int number = 0;
  sigemptyset(&begin);
  sigaddset(&begin, SIGUSR1);
  sigwait(&begin, &number);
}

static inline void Done(void) {
  printf("DONE\n");
  fflush(stdout);
}

/* Sleeps for ever outside every lock: a thread that could still do something. */
static inline void Park(void) {
  for (;;) pause();
}

static inline void SleepMicroseconds(long microseconds) {
  struct timespec duration = {microseconds / 1000000, microseconds % 1000000 * 1000};
  nanosleep(&duration, NULL);
}

static inline long long NowNs(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time.tv_sec * 1000000000LL + time.tv_nsec;
}

/* Until that thread of a process sleeps in futex(2): what runs has no number of a system call. */
static inline void AwaitInFutex(long pid, long tid) {
  char path[64];
  char number[8] = "";
  snprintf(path, sizeof(path), "/proc/%ld/task/%ld/syscall", pid, tid);
  while (strcmp(number, "202 ") != 0) {
    FILE* file = fopen(path, "r");
    SleepMicroseconds(200);
    if (file == NULL) continue;
    if (fgets(number, 5, file) == NULL) number[0] = '\0';
    fclose(file);
  }
}

/* Some work under a lock: long enough for others to be seen blocked, without heating the host. */
static inline void Work(void) { SleepMicroseconds(1000); }

/* Between two turns: who takes a lock again at once can starve the others for seconds, because
 * glibc's and musl's mutexes let a running thread barge in before a woken one. */
static inline void Rest(void) { SleepMicroseconds(200); }
