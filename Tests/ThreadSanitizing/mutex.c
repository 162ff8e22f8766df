// Tells the sanitizer of threads what Swift's Mutex does where threads wait for each other.
//
// Its fast paths are compiled into the caller, and are seen. Its slow paths lie in a library that is not instrumented, and
// hand the lock over in the kernel: the sanitizer takes accesses under one lock for a race. These do the same as the library's
// (Swift's Synchronization/Mutex/LinuxImpl.swift: a futex with priority inheritance, which holds its owner's thread
// number), and say so. Linked into the tests they come before the library's, as they have the same names; a toolchain that
// names them otherwise is noticed by the reports coming back.

#define _GNU_SOURCE
#include <errno.h>
#include <linux/futex.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ThreadSanitizing.h"

void __tsan_acquire(void *address);
void __tsan_release(void *address);

// In Swift's convention for methods: the lock is `self`.
#define SELF __attribute__((swift_context)) void *lock
#define METHOD(name, symbol, ...) \
  __attribute__((swiftcall)) void name(__VA_ARGS__) __asm__("$s15Synchronization12_MutexHandleV" symbol)

METHOD(lock_slow, "9_lockSlowyys6UInt32VF", uint32_t thread, SELF);
METHOD(unlock_slow, "11_unlockSlowyyF", SELF);

static void kernel(int operation, void *lock) {
  while (syscall(SYS_futex, lock, operation, 0, NULL, NULL, 0) != 0) {
    if (errno != EINTR && errno != EAGAIN) abort();
  }
}

__attribute__((swiftcall)) void lock_slow(uint32_t thread, SELF) {
  (void)thread;
  kernel(FUTEX_LOCK_PI_PRIVATE, lock);
  __tsan_acquire(lock);
}

__attribute__((swiftcall)) void unlock_slow(SELF) {
  __tsan_release(lock);
  kernel(FUTEX_UNLOCK_PI_PRIVATE, lock);
}
