import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.bytedeco.javacpp.tools.Builder;

/**
 * The native part of the build: compiles the kernels once an instruction set, lets JavaCPP write the JNI functions of
 * NativeCalls and link the whole, and puts the library beside the classes. Without a g++ that knows AVX-512 BF16, or
 * elsewhere than on 64-bit Linux on x86, it says so and leaves a jar without native kernels. Does nothing where no
 * source has changed. The library's name has the hash of what it is made from: JavaCPP unpacks a library to a cache of
 * the user, and takes what is there already where name, size and time agree.
 * Takes the module's folder; runs as a source file, with JavaCPP and the module's classes on the class path.
 */
final class NativeBuild {
  private static final String CALLS = "org.dyr.kernels.cpu.NativeCalls";

  /** The first g++ that knows {@code -mavx512bf16}. */
  private static final int LEAST_GCC = 10;

  private static final List<String> COMMON = List.of("-O3", "-std=c++17", "-fno-exceptions", "-fno-rtti",
      "-ffp-contract=off", "-fno-math-errno", "-fvisibility=hidden", "-fPIC", "-Wall", "-Wno-uninitialized",
      "-Wno-maybe-uninitialized", "-Wno-psabi");
  private static final List<String> AVX512 = List.of("-mavx2", "-mfma", "-mavx512f", "-mavx512bw", "-mavx512dq",
      "-mavx512vl");
  private static final Map<String, List<String>> FLAGS = new TreeMap<>(Map.of(
      "dyr_kernels", List.of(),
      "avx2", List.of("-mavx2", "-mfma"),
      "avx512", AVX512,
      "avx512bf16", Stream.concat(AVX512.stream(), Stream.of("-mavx512bf16")).toList()));

  private NativeBuild() {}

  public static void main(String[] args) throws Exception {
    Path module = Path.of(args[0]).toAbsolutePath(), sources = module.resolve("src/main/cpp");
    Path work = module.resolve("target/native"), classes = module.resolve("target/classes");
    Path folder = classes.resolve("org/dyr/kernels/cpu/linux-x86_64"), name = folder.resolve("name");
    String without = !System.getProperty("os.name").equals("Linux") || !System.getProperty("os.arch").equals("amd64")
        ? "not 64-bit Linux on x86" : !isOnPath("g++") ? "no g++ on the PATH" : tooOld();
    String library = without == null ? "jniNativeCalls-" + fingerprint(module) : "";
    if (Files.exists(name) && Files.readString(name).equals(library)) return;
    clear(folder);
    if (without != null) {
      System.out.println("native kernels: skipped, " + without);
      return;
    }
    Files.createDirectories(work);
    link(sources, classes, compile(sources, work));
    Files.move(folder.resolve("libjniNativeCalls.so"), folder.resolve("lib" + library + ".so"));
    Files.writeString(name, library);
  }

  private static void clear(Path folder) throws IOException {
    if (!Files.exists(folder)) return;
    try (Stream<Path> all = Files.list(folder)) {
      for (Path file : all.toList()) Files.delete(file);
    }
  }

  private static boolean isOnPath(String program) {
    return Stream.of(System.getenv().getOrDefault("PATH", "").split(File.pathSeparator))
        .anyMatch(p -> Files.isExecutable(Path.of(p, program)));
  }

  /** What is wrong with g++'s version; null where nothing is. */
  private static String tooOld() throws IOException {
    Process process = new ProcessBuilder("g++", "-dumpversion").start();
    String version = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    Matcher major = Pattern.compile("\\d+").matcher(version);
    return major.lookingAt() && Integer.parseInt(major.group()) < LEAST_GCC
        ? "g++ is %s, %d is needed".formatted(version, LEAST_GCC) : null;
  }

  /** Of all that the library is made from. */
  private static String fingerprint(Path module) throws Exception {
    MessageDigest sha = MessageDigest.getInstance("SHA-256");
    List<Path> files = new ArrayList<>();
    for (String folder : List.of("src/main/cpp", "src/build")) {
      try (Stream<Path> all = Files.walk(module.resolve(folder))) {
        all.filter(Files::isRegularFile).sorted().forEach(files::add);
      }
    }
    files.add(module.resolve("src/main/java/" + CALLS.replace('.', '/') + ".java"));
    for (Path file : files) {
      sha.update(module.relativize(file).toString().getBytes(StandardCharsets.UTF_8));
      sha.update(Files.readAllBytes(file));
    }
    Process version = new ProcessBuilder("g++", "--version").start();
    sha.update(version.getInputStream().readAllBytes());
    for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
      sha.update(Path.of(entry).getFileName().toString().getBytes(StandardCharsets.UTF_8)); // with JavaCPP's version
    }
    return HexFormat.of().formatHex(sha.digest(), 0, 8);
  }

  /** All units at a time; gives their object files. */
  private static List<Path> compile(Path sources, Path work) throws IOException, InterruptedException {
    List<Path> objects = new ArrayList<>();
    List<Process> running = new ArrayList<>();
    for (String unit : FLAGS.keySet()) {
      Path object = work.resolve(unit + ".o");
      List<String> command = new ArrayList<>(List.of("g++", "-c"));
      command.addAll(COMMON);
      command.addAll(FLAGS.get(unit));
      command.addAll(List.of("-o", object.toString(), sources.resolve(unit + ".cpp").toString()));
      running.add(new ProcessBuilder(command).inheritIO().start());
      objects.add(object);
    }
    boolean good = true;
    for (Process p : running) good &= p.waitFor() == 0;
    if (!good) throw new IllegalStateException("native kernels: g++ failed");
    return objects;
  }

  private static void link(Path sources, Path classes, List<Path> objects) throws Exception {
    List<String> arguments = new ArrayList<>(List.of("-classpath", classes.toString()));
    for (Path object : objects) arguments.addAll(List.of("-Xcompiler", object.toString()));
    arguments.addAll(List.of("-Xcompiler", "-I" + sources, CALLS));
    Builder.main(arguments.toArray(new String[0]));
  }
}
