import io.github.imreuse.*;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
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
  private static List<String> run(int code, List<String> options, String... args) throws Exception {
    List<String> command = new ArrayList<>(Arrays.asList(
        System.getProperty("java.home") + "/bin/java", "-Xcheck:jni", "-XX:+AllowUserSignalHandlers",
        "-cp", System.getProperty("java.class.path")));
    command.addAll(options);
    command.add("Meeting");
    command.addAll(Arrays.asList(args));
    ProcessBuilder b = new ProcessBuilder(command).redirectErrorStream(true);
    b.environment().clear();
    Process p = b.start();
    List<String> printed;
    try (InputStream in = p.getInputStream()) {
      printed = new BufferedReader(new InputStreamReader(in, StandardCharsets.UTF_8)).lines().collect(Collectors.toList());
    }
    Check.equal(p.waitFor(), code, "exit code, after " + printed);
    return printed;
  }

  private static List<String> temporaryFolder(String folder) {
    return Arrays.asList("-Djava.io.tmpdir=" + folder);
  }

  public void overTheMock() throws Exception {
    Check.equal(run(0, Arrays.asList()), PRINTED, "what the example prints");
  }

  public void overTheSandbox() throws Exception {
    try (Sandbox sandbox = new Sandbox()) {
      Check.equal(run(0, Arrays.asList(), sandbox.kit), PRINTED, "what the example prints");
    }
  }

  /** The library is unpacked into the temporary folder, and does not stay there. */
  public void nothingStaysInTheTemporaryFolder() throws Exception {
    File folder = Files.createTempDirectory(Paths.get("build"), "tmp").toFile(); // a relative path
    Check.equal(run(0, temporaryFolder(folder.getPath())), PRINTED, "what the example prints");
    Check.equal(Arrays.toString(folder.list()), "[]", "files");
    Check.that(folder.delete(), "the folder is empty");
    String said = run(1, temporaryFolder(folder.getPath())).toString();
    Check.that(said.contains("cannot unpack libimreuse_jni.so into " + folder), "the error: " + said);
  }

  /** As on Android: the library is in the path of the JVM, and nothing is unpacked. */
  public void libraryInThePath() throws Exception {
    File library = Files.walk(Paths.get("build", "classes")).map(Path::toFile)
        .filter(f -> f.getName().equals("libimreuse_jni.so")).findFirst().get();
    List<String> options = new ArrayList<>(temporaryFolder("build/no-such-folder"));
    options.add("-Djava.library.path=" + library.getParent());
    Check.equal(run(0, options), PRINTED, "what the example prints");
  }

  public void fortyLines() throws Exception {
    int lines = Files.readAllLines(Paths.get("examples", "Meeting.java")).size();
    Check.that(lines <= 40, "lines of the example: " + lines);
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
