import io.github.imreuse.*;
import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import javax.management.ObjectName;

/** Many logins leave nothing behind: in the heap, outside of it, or in JNI. */
public class LeaksTest {
  private static final int LOGINS = 20_000;

  public void logins() throws Exception {
    try (Im im = new Im(); Mock mock = new Mock(null);
        Engine e = new Engine(im.host, mock, new Options(Im.APP_KEY).mode(Mode.AUTO_LOGIN))) {
      e.watch(s -> s.session());
      compare(LOGINS, () -> {
        Check.get(e.loginKit(Im.USER, Im.USER_TOKEN));
        Check.fails(e.loginKit("another", "token"), ImReuseException.KIT_IN_USE);
        Check.get(e.logoutKit());
        im.calls.clear();
      });
    }
  }

  public void engines() throws Exception {
    try (Mock mock = new Mock(null)) {
      compare(LOGINS / 10, () -> {
        try (Im im = new Im(); Engine e = new Engine(im.host, mock, new Options(Im.APP_KEY).logger((level, line) -> {}))) {
          e.watch(s -> s.session());
          Check.get(e.initIm());
          im.hold = true;
          Check.get(e.initIm());
          java.util.concurrent.CompletableFuture<Void> f = e.loginKit(Im.USER, Im.USER_TOKEN);
          f.cancel(true);
          Check.fails(f, ImReuseException.OTHER);
        }
      });
    }
  }

  private static void compare(int rounds, Check.Body body) throws Exception {
    for (int i = 0; i < rounds / 4; i++) { // until all is compiled, and all threads are there
      body.run();
    }
    new Usage(); // loads the classes that measure
    Usage before = new Usage();
    for (int i = 0; i < rounds; i++) {
      body.run();
    }
    Usage after = new Usage();
    String what = rounds + " rounds: from " + before + " to " + after;
    System.out.println("   " + what);
    Check.that(after.heap - before.heap < 1 << 20, "the heap grows in " + what);
    Check.that(after.rss - before.rss < 2 << 20, "the resident set grows in " + what);
    Check.that(after.globals - before.globals < 10, "the global references grow in " + what);
    Check.that(after.threads - before.threads < 10, "the threads grow in " + what);
    Check.equal(after.registered, before.registered, "registered objects in " + what);
  }

  private static final class Usage {
    final long heap;
    final long rss;
    final int globals;
    final int threads;
    final int registered = Inside.registered();

    Usage() throws Exception {
      for (int i = 0; i < 3; i++) {
        System.gc();
        System.runFinalization();
      }
      Runtime r = Runtime.getRuntime();
      heap = r.totalMemory() - r.freeMemory();
      rss = 1024L * status("VmRSS");
      threads = (int) status("Threads");
      globals = globalReferences();
    }

    @Override
    public String toString() {
      return String.format("heap %.1f MB, RSS %.1f MB, %d global references, %d threads",
          heap / 1e6, rss / 1e6, globals, threads);
    }
  }

  /** Returns a number that Linux shows about this process. */
  private static long status(String name) throws IOException {
    String all = new String(Files.readAllBytes(Paths.get("/proc/self/status")), StandardCharsets.US_ASCII);
    return number("(?m)^" + name + ":\\s*(\\d+)", all);
  }

  private static int globalReferences() throws Exception {
    String threads = (String) ManagementFactory.getPlatformMBeanServer().invoke(
        new ObjectName("com.sun.management:type=DiagnosticCommand"), "threadPrint",
        new Object[] {new String[0]}, new String[] {String[].class.getName()});
    return (int) number("JNI global refs: (\\d+)", threads);
  }

  private static long number(String pattern, String text) {
    Matcher m = Pattern.compile(pattern).matcher(text);
    Check.that(m.find(), "no " + pattern + " in " + text);
    return Long.parseLong(m.group(1));
  }
}
