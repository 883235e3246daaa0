import io.github.imreuse.*;

/** What a host in Java pays, beside bench.c and BenchmarkHostLogin of Go. */
public final class Bench {
  private Bench() {}

  public static void main(String[] args) throws Exception {
    try (Im im = new Im(); Mock mock = new Mock(null)) {
      for (Mode mode : new Mode[] {Mode.AUTO_LOGIN, Mode.REUSE_IM}) {
        try (Engine e = new Engine(im.host, mock, new Options(Im.APP_KEY).mode(mode))) {
          e.initIm().get();
          if (mode == Mode.REUSE_IM) {
            e.loginIm(Im.ACCID, Im.TOKEN).get();
          }
          measure("Java: login and logout, " + mode, 20_000, () -> {
            e.loginKit(Im.USER, Im.USER_TOKEN).get();
            e.logoutKit().get();
            im.calls.clear();
          });
          e.loginKit(Im.USER, Im.USER_TOKEN).get();
          measure("Java: an operation with nothing to do, " + mode, 50_000, () -> e.initIm().get());
          measure("Java: status, " + mode, 1_000_000, () -> e.status());
        }
      }
      measure("Java: an engine, made and closed", 5_000, () -> new Engine(mock, new Options(Im.APP_KEY)).close());
    }
  }

  private static void measure(String what, int n, Check.Body body) throws Exception {
    long best = Long.MAX_VALUE;
    for (int round = 0; round < 5; round++) {
      long start = System.nanoTime();
      for (int i = 0; i < n; i++) {
        body.run();
      }
      best = Math.min(best, System.nanoTime() - start);
    }
    System.out.printf("%-50s %8.2f µs%n", what, best / 1e3 / n);
  }
}
