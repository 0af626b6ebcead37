import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

/** A thread pool: idle, or with --load eight tasks that share a monitor, a millisecond each in turn. */
public final class JvmPool {
  private static final Object MONITOR = new Object();
  private static long turns;

  private static void work() {
    try {
      while (true) {
        synchronized (MONITOR) {
          turns++;
          Thread.sleep(1);
        }
        Thread.sleep(1);
      }
    } catch (InterruptedException e) {
      return;
    }
  }

  public static void main(String[] options) throws InterruptedException {
    ExecutorService pool = Executors.newFixedThreadPool(16);
    for (int i = 0; i < 16; i++) pool.submit(() -> Thread.yield());
    if (options.length > 0 && options[0].equals("--load")) {
      for (int i = 0; i < 8; i++) pool.submit(JvmPool::work);
    }
    System.out.println("READY");
    System.out.flush();
    Thread.currentThread().join();
  }
}
