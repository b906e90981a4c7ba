/* The thread pool of all CPU kernels: run body(argument, 0), ..., body(argument, count - 1) on several threads.
 *
 * How the work is shared. Each thread owns a contiguous range of the chunks, so that it stays in memory it has just
 * touched; a thread that has finished its own range steals from the others. How many chunks of a range are taken is a
 * counter in a cache line of its own (a single shared counter would bounce between the cores at every chunk).
 *
 * How it ends. The caller waits until all chunks are finished, not until all threads are. So a worker that has no CPU
 * and took no chunk delays nobody: on a busy machine the caller simply does the work itself.
 *
 * Between jobs workers spin for half a millisecond, then they sleep: the next kernel usually follows soon, and waking a
 * sleeping thread takes tens of microseconds.
 *
 * One job at a time: a caller that finds the pool taken (by another Python thread, or by a job of its own that encloses
 * this one) runs its chunks alone. A chunk must not depend on who runs it, so this never changes a result.
 *
 * Fork: the child has no workers and starts its own at its first job.
 */
#ifndef MINIDL_POOL_H
#define MINIDL_POOL_H

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <time.h>

enum { MAX_THREADS = 64, SPIN_NANOSECONDS = 500000, SPINS_BEFORE_YIELD = 2000 };

typedef void (*pool_body)(void *argument, long chunk);

/* One thread's range: the number of the job in the upper half, how many of its chunks are taken in the lower. Taking a
 * chunk is one compare-and-swap that fails if the job has changed meanwhile: a late worker can take nothing stale. */
typedef struct {
    _Alignas(64) _Atomic uint64_t taken;
} pool_range;

static struct {
    pool_range ranges[MAX_THREADS];
    _Alignas(64) _Atomic long finished;
    _Alignas(64) _Atomic uint32_t job; /* number of the current job; workers sleep on it */
    _Atomic int sleepers;
    _Alignas(64) _Atomic int busy; /* the lock of the callers */
    _Atomic long count;
    _Atomic(pool_body) body;
    void *_Atomic argument;
    _Atomic int threads; /* taking part, the caller included */
    _Atomic int stop;
    int workers; /* started; only the holder of the lock touches it */
    pthread_t handles[MAX_THREADS];
} pool;

static _Thread_local int pool_inside; /* this thread is running a chunk */

static inline void pool_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) && defined(__GNUC__)
    __asm__ volatile("yield");
#endif
}

static int64_t pool_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Workers sleep here. A worker counts itself as a sleeper, then looks for a new job; a caller publishes the job, then
 * looks at the count. At least one of the two sees the other, so no wake-up is lost. */
static pthread_mutex_t pool_mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t pool_condition = PTHREAD_COND_INITIALIZER;

static void pool_sleep(uint32_t seen) {
    pthread_mutex_lock(&pool_mutex);
    atomic_fetch_add(&pool.sleepers, 1);
    while (atomic_load(&pool.job) == seen) pthread_cond_wait(&pool_condition, &pool_mutex);
    atomic_fetch_sub(&pool.sleepers, 1);
    pthread_mutex_unlock(&pool_mutex);
}
static void pool_wake(void) {
    if (atomic_load(&pool.sleepers) == 0) return;
    pthread_mutex_lock(&pool_mutex);
    pthread_cond_broadcast(&pool_condition);
    pthread_mutex_unlock(&pool_mutex);
}

/* Take and run chunks of job number `job`, this thread's range first, until none is left or the job is over. */
static void pool_work(uint32_t job, int thread) {
    int threads = atomic_load_explicit(&pool.threads, memory_order_acquire);
    pool_inside = 1;
    for (int k = 0; k < threads; k++) {
        int owner = thread + k < threads ? thread + k : thread + k - threads;
        for (;;) {
            uint64_t taken = atomic_load_explicit(&pool.ranges[owner].taken, memory_order_acquire);
            if ((uint32_t)(taken >> 32) != job) goto over;
            /* `count` is zero while a new job is being set up, so an old job's range looks empty, never longer. */
            long count = atomic_load_explicit(&pool.count, memory_order_acquire);
            long chunk = count * owner / threads + (long)(uint32_t)taken, end = count * (owner + 1) / threads;
            if (chunk >= end) break;
            if (!atomic_compare_exchange_weak_explicit(&pool.ranges[owner].taken, &taken, taken + 1,
                                                       memory_order_acq_rel, memory_order_relaxed))
                continue;
            /* The job cannot end before this chunk is counted: body and argument are the job's own. */
            atomic_load_explicit(&pool.body, memory_order_relaxed)(
                atomic_load_explicit(&pool.argument, memory_order_relaxed), chunk);
            atomic_fetch_add_explicit(&pool.finished, 1, memory_order_release);
        }
    }
over:
    pool_inside = 0;
}

static void *pool_worker(void *thread) {
    uint32_t seen = 0;
    while (!atomic_load(&pool.stop)) {
        uint32_t job;
        int64_t end = pool_nanoseconds() + SPIN_NANOSECONDS; /* pauses are no clock: 10 to 150 cycles each */
        for (long spins = 1; (job = atomic_load_explicit(&pool.job, memory_order_acquire)) == seen; spins++) {
            if (spins % 64 == 0 && pool_nanoseconds() > end) pool_sleep(seen);
            else pool_pause();
        }
        seen = job;
        pool_work(job, (int)(intptr_t)thread);
    }
    return NULL;
}

/* Start the missing workers. If the system gives fewer, results are the same, only later. They block all signals, which
 * Python's own threads must handle. */
static void pool_start_workers(void) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    while (pool.workers < pool.threads - 1) {
        void *thread = (void *)(intptr_t)(pool.workers + 1);
        if (pthread_create(&pool.handles[pool.workers], NULL, pool_worker, thread)) break;
        pool.workers++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* The next job number. It is never zero, which stands for "no job yet" in a new worker. */
static uint32_t pool_next_job(void) {
    uint32_t job = atomic_load(&pool.job) + 1;
    return job ? job : 1;
}

static void pool_lock(void) {
    for (int expected = 0; !atomic_compare_exchange_weak(&pool.busy, &expected, 1); expected = 0) sched_yield();
}
static void pool_unlock(void) { atomic_store_explicit(&pool.busy, 0, memory_order_release); }

static void pool_after_fork_in_child(void) {
    pool.workers = 0;
    atomic_store(&pool.sleepers, 0);
    pthread_mutex_init(&pool_mutex, NULL);
    pthread_cond_init(&pool_condition, NULL);
    pool_unlock();
}

/* Run all chunks; return when the last one is finished. */
static void pool_run(long count, pool_body body, void *argument) {
    int expected = 0;
    if (count <= 1 || pool_inside || atomic_load_explicit(&pool.threads, memory_order_relaxed) == 1 ||
        count > (long)UINT32_MAX || !atomic_compare_exchange_strong(&pool.busy, &expected, 1)) {
        for (long chunk = 0; chunk < count; chunk++) body(argument, chunk);
        return;
    }
    if (pool.workers < pool.threads - 1) pool_start_workers();
    uint32_t job = pool_next_job();
    int threads = pool.threads;
    atomic_store_explicit(&pool.count, 0, memory_order_release); /* before the ranges change: see pool_work */
    for (int t = 0; t < threads; t++)
        atomic_store_explicit(&pool.ranges[t].taken, (uint64_t)job << 32, memory_order_release);
    atomic_store_explicit(&pool.body, body, memory_order_relaxed);
    atomic_store_explicit(&pool.argument, argument, memory_order_relaxed);
    atomic_store_explicit(&pool.finished, 0, memory_order_relaxed);
    atomic_store_explicit(&pool.count, count, memory_order_release);
    atomic_store(&pool.job, job);
    pool_wake();
    pool_work(job, 0);
    for (long spins = 0; atomic_load_explicit(&pool.finished, memory_order_acquire) < count; spins++) {
        if (spins < SPINS_BEFORE_YIELD) pool_pause();
        else sched_yield(); /* the thread with the last chunk may be waiting for this core */
    }
    pool_unlock();
}

/* Change the number of threads: the present workers end, and the next job starts the new ones. */
static void pool_set_threads(int threads) {
    pool_lock();
    atomic_store(&pool.stop, 1);
    atomic_store_explicit(&pool.count, 0, memory_order_release);
    atomic_store(&pool.job, pool_next_job());
    pool_wake();
    for (int w = 0; w < pool.workers; w++) pthread_join(pool.handles[w], NULL);
    pool.workers = 0;
    atomic_store(&pool.stop, 0);
    atomic_store(&pool.threads, threads);
    pool_unlock();
}

static void pool_init(int threads) {
    atomic_store(&pool.threads, threads);
    pthread_atfork(pool_lock, pool_unlock, pool_after_fork_in_child);
}

#endif
