package io.github.imreuse;

import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.util.Locale;

/**
 * Loads the library: from the path of the JVM, where Android and some hosts have
 * it, or else out of the jar.
 */
final class Loader {
  private static final String NAME = "imreuse_jni";

  private Loader() {}

  static void load() {
    try {
      System.loadLibrary(NAME);
    } catch (UnsatisfiedLinkError e) {
      loadFromJar(e);
    }
  }

  private static void loadFromJar(UnsatisfiedLinkError notInPath) {
    String file = System.mapLibraryName(NAME);
    String resource = "native/" + platform() + "/" + file;
    try (InputStream in = Loader.class.getResourceAsStream(resource)) {
      if (in == null) {
        throw unsatisfied("imreuse: the jar has no " + resource + ", and the JVM cannot load " + NAME
            + " from its path; build the library for this platform", notInPath);
      }
      unpack(in, file);
    } catch (IOException e) {
      throw unsatisfied("imreuse: cannot unpack " + file + " into " + folder(), e);
    }
  }

  private static void unpack(InputStream in, String file) throws IOException {
    File copy = File.createTempFile("imreuse", file);
    try {
      try (OutputStream out = new FileOutputStream(copy)) {
        byte[] buffer = new byte[1 << 16];
        for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
          out.write(buffer, 0, n);
        }
      }
      System.load(copy.getAbsolutePath());
    } catch (UnsatisfiedLinkError e) {
      throw unsatisfied("imreuse: cannot load the library from " + folder()
          + "; if that folder forbids execution, set java.io.tmpdir to another one", e);
    } finally {
      // Where a loaded file can be deleted, nothing is left behind.
      if (!copy.delete()) {
        copy.deleteOnExit();
      }
    }
  }

  private static String folder() {
    return System.getProperty("java.io.tmpdir");
  }

  private static UnsatisfiedLinkError unsatisfied(String message, Throwable cause) {
    UnsatisfiedLinkError e = new UnsatisfiedLinkError(message + ": " + cause.getMessage());
    e.initCause(cause);
    return e;
  }

  /** Returns the platform in Go's words, such as linux-amd64. */
  private static String platform() {
    String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
    String arch = System.getProperty("os.arch");
    if (os.startsWith("mac")) {
      os = "darwin";
    } else if (os.startsWith("windows")) {
      os = "windows";
    }
    if (arch.equals("x86_64")) {
      arch = "amd64";
    } else if (arch.equals("aarch64")) {
      arch = "arm64";
    }
    return os + "-" + arch;
  }
}
