import io.github.imreuse.*;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/** The example, and the kit over HTTP: with the kit server of {@code imreuse sandbox}. */
public class ExampleTest {
  private static final List<String> PRINTED = Arrays.asList(
      "100004: Log IM in with the bound account (Engine.LoginIM, or the host's own IM client) before the kit login.",
      "KIT_LOGGED_IN, reused: true",
      "IM_LOGGED_IN: the app's chat goes on");

  /** The kit server, as a process. */
  private static final class Sandbox implements AutoCloseable {
    final Process process;
    final String kit;

    Sandbox() throws IOException {
      process = new ProcessBuilder(System.getProperty("imreuse.command"), "sandbox")
          .redirectError(ProcessBuilder.Redirect.INHERIT).start();
      String first = new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8)).readLine();
      Matcher m = Pattern.compile("\"kit\":\"([^\"]+)\"").matcher(String.valueOf(first));
      Check.that(m.find(), "the sandbox printed: " + first);
      kit = m.group(1);
    }

    @Override
    public void close() throws InterruptedException {
      process.destroy();
      process.waitFor();
    }
  }

  /** Runs the example in a JVM without an environment: no Go, no path to libraries. */
  private static void run(String... args) throws Exception {
    List<String> command = new ArrayList<>(Arrays.asList(
        System.getProperty("java.home") + "/bin/java", "-Xcheck:jni", "-XX:+AllowUserSignalHandlers",
        "-cp", System.getProperty("java.class.path"), "Meeting"));
    command.addAll(Arrays.asList(args));
    ProcessBuilder b = new ProcessBuilder(command).redirectErrorStream(true);
    b.environment().clear();
    Process p = b.start();
    try (InputStream in = p.getInputStream()) {
      List<String> printed = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8)).lines().collect(Collectors.toList());
      Check.equal(printed, PRINTED, "what the example prints");
    }
    Check.equal(p.waitFor(), 0, "exit code");
  }

  public void overTheMock() throws Exception {
    run();
  }

  public void overTheSandbox() throws Exception {
    try (Sandbox sandbox = new Sandbox()) {
      run(sandbox.kit);
    }
  }

  public void fortyLines() throws Exception {
    int lines = Files.readAllLines(Paths.get("examples", "Meeting.java")).size();
    Check.that(lines <= 40, "lines of the example: " + lines);
  }

  /** The library was unpacked into this folder, and must not stay there. */
  public void nothingStaysInTheTemporaryFolder() {
    String[] left = new File(System.getProperty("java.io.tmpdir")).list((dir, name) -> name.endsWith("libimreuse_jni.so"));
    Check.equal(Arrays.toString(left), "[]", "files");
  }

  public void kitServer() throws Exception {
    Sandbox sandbox = new Sandbox();
    try (Im im = new Im(); KitServer kit = new KitServer(Im.APP_KEY, sandbox.kit);
        Engine e = new Engine(im.host, kit, new Options(Im.APP_KEY).mode(Mode.AUTO_LOGIN))) {
      ImReuseException x = Check.fails(e.loginKit(Im.USER, "wrong"), ImReuseException.TOKEN_REJECTED);
      Check.equal(x.call(), "Authenticate", "call");
      Check.get(e.loginKit(Im.USER, Im.USER_TOKEN)); // the kit server names the IM account
      Check.that(im.calls.contains("login app1 myaccid myToken"), "calls of the client: " + im.calls);
      Check.get(e.renewKit(Im.USER, Im.USER_TOKEN));
      Check.get(e.logoutKit());
      im.anyToken = true;
      Check.get(e.loginAnonymous());
      Check.that(e.status().anonymous(), "status: " + e.status());
      Check.get(e.logoutKit());
      sandbox.close();
      Check.fails(e.loginKit(Im.USER, Im.USER_TOKEN), ImReuseException.UNAVAILABLE);
    } finally {
      sandbox.close();
    }
  }
}
