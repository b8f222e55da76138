/* rapidsnark's command line over the library that it ships for Android:
 *
 *     rapidsnark key.zkey witness.wtns proof.json public.json
 *
 * The library is plain x86-64 code for another C library (Bionic), whose types of threads and files have the sizes of
 * glibc's. What it asks of Bionic by names or numbers that glibc has not is here; the rest it finds in glibc.
 *
 * BENCH_THREADS limits it to so many processors: it starts a thread for each of its sums and asks nobody how many. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int *__errno(void) { return &errno; }
char __sF[3 * 152]; /* stdin, stdout, stderr: named in code that ends the process, and nowhere else */
void android_set_abort_message(const char *text) { fprintf(stderr, "%s\n", text); }
void __assert2(const char *file, int line, const char *function, const char *text) {
  fprintf(stderr, "%s:%d: %s: %s\n", file, line, function, text);
  abort();
}
size_t __strlen_chk(const char *text, size_t size) { return (void)size, strlen(text); }
char *__strncpy_chk2(char *to, const char *from, size_t count, size_t to_size, size_t from_size) {
  return (void)to_size, (void)from_size, strncpy(to, from, count);
}

/* Bionic's numbers of the two settings that are asked for. */
long sysconf(int name) {
  long (*real)(int) = (long (*)(int))dlsym(RTLD_NEXT, "sysconf");
  return real(name == 0x27 || name == 0x28 ? _SC_PAGESIZE : name == 0x60 || name == 0x61 ? _SC_NPROCESSORS_ONLN : name);
}

static void fail(const char *text) {
  fprintf(stderr, "rapidsnark: %s\n", text);
  exit(1);
}

static void limit(int processors) {
  cpu_set_t allowed, few;
  CPU_ZERO(&few);
  if (sched_getaffinity(0, sizeof allowed, &allowed)) fail(strerror(errno));
  for (int cpu = 0; cpu < CPU_SETSIZE && processors > 0; cpu++)
    if (CPU_ISSET(cpu, &allowed)) CPU_SET(cpu, &few), processors--;
  if (sched_setaffinity(0, sizeof few, &few)) fail(strerror(errno));
}

static void *contents(const char *path, unsigned long *size) {
  FILE *file = fopen(path, "rb");
  if (!file || fseek(file, 0, SEEK_END)) fail(path);
  *size = (unsigned long)ftell(file);
  rewind(file);
  char *bytes = malloc(*size + 1);
  if (!bytes || fread(bytes, 1, *size, file) != *size || fclose(file)) fail(path);
  return bytes;
}

static void write_text(const char *path, const char *text) {
  FILE *file = fopen(path, "w");
  if (!file || fputs(text, file) < 0 || fclose(file)) fail(path);
}

typedef int Prove(const char *zkey, const void *wtns, unsigned long wtns_size, char *proof, unsigned long *proof_size,
                  char *instance, unsigned long *instance_size, char *error, unsigned long error_size);

int main(int argc, char **argv) {
  static char proof[1 << 16], instance[1 << 20], error[1 << 12];
  unsigned long wtns_size, proof_size = sizeof proof, instance_size = sizeof instance;
  const char *threads = getenv("BENCH_THREADS");
  if (argc != 5) fail("expected key.zkey witness.wtns proof.json public.json");
  if (threads) limit(atoi(threads));
  void *library = dlopen(LIBRARY, RTLD_NOW);
  if (!library) fail(dlerror());
  Prove *prove = (Prove *)dlsym(library, "groth16_prover_zkey_file");
  if (!prove) fail(dlerror());
  void *wtns = contents(argv[2], &wtns_size);
  if (prove(argv[1], wtns, wtns_size, proof, &proof_size, instance, &instance_size, error, sizeof error)) fail(error);
  write_text(argv[3], proof);
  write_text(argv[4], instance);
  _exit(0); /* what the library would do at the end is written for Bionic */
}
