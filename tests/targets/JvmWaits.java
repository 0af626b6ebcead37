import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.locks.ReentrantLock;

/**
 * scripted_waits.cc in Java: a thread waits twenty times for what main holds for 20 ms: "monitor" or
 * "lock", the first argument. Starts when the file of the second exists; then prints "waited=NS" (the
 * sum as the waiter measured it) and DONE.
 */
public final class JvmWaits {
  private static final int WAITS = 20;
  private static final Object MONITOR = new Object();
  private static final ReentrantLock LOCK = new ReentrantLock();
  private static volatile int allowed; // how many waits the waiter may begin
  private static volatile int done;
  private static volatile long waited;
  private static long balance;

  private static void depositInMonitor() {
    synchronized (MONITOR) {
      balance++;
    }
  }

  private static void depositWithLock() {
    LOCK.lock();
    try {
      balance++;
    } finally {
      LOCK.unlock();
    }
  }

  private static void deposit(boolean withLock) {
    if (withLock) {
      depositWithLock();
    } else {
      depositInMonitor();
    }
  }

  private static void waitAll(boolean withLock) {
    try {
      for (int i = 1; i <= WAITS; i++) {
        while (allowed < i) Thread.sleep(1);
        long begin = System.nanoTime();
        deposit(withLock);
        waited += System.nanoTime() - begin;
        done = i;
      }
    } catch (InterruptedException e) {
      return;
    }
  }

  /** Who is to wait for a lock sleeps in futex(2). */
  private static boolean isAsleep(Thread waiter) throws IOException {
    Thread.State state = waiter.getState();
    if (state != Thread.State.BLOCKED && state != Thread.State.WAITING) return false;
    try (var tasks = Files.newDirectoryStream(Path.of("/proc/self/task"))) {
      for (Path task : tasks) {
        if (!Files.readString(task.resolve("comm")).equals("waiter\n")) continue;
        return Files.readString(task.resolve("syscall")).startsWith("202 ");
      }
    }
    return false;
  }

  /** The waiter gets its i-th wait, and sleeps in it for 20 ms. */
  private static void letWait(int i, Thread waiter) throws Exception {
    allowed = i;
    while (!isAsleep(waiter)) Thread.sleep(1);
    Thread.sleep(20);
  }

  public static void main(String[] options) throws Exception {
    boolean withLock = options[0].equals("lock");
    deposit(withLock); // so that it is compiled, where it is to be
    Thread waiter = new Thread(() -> waitAll(withLock), "waiter");
    waiter.setDaemon(true);
    waiter.start();
    System.out.println("READY");
    System.out.flush();
    while (!Files.exists(Path.of(options[1]))) Thread.sleep(10);
    for (int i = 1; i <= WAITS; i++) {
      if (withLock) {
        LOCK.lock();
        letWait(i, waiter);
        LOCK.unlock();
      } else {
        synchronized (MONITOR) {
          letWait(i, waiter);
        }
      }
      while (done < i) Thread.sleep(1);
    }
    waiter.join();
    System.out.println("waited=" + waited + "\nDONE");
    System.out.flush();
    Thread.currentThread().join();
  }
}
