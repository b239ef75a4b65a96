import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.bytedeco.javacpp.tools.Builder;

/**
 * The native part of the build, twice from the same sources: by nvcc, where a toolkit is, into a library beside the
 * classes; by g++, where it is, into the folder target/emulator, with the stand-ins for the driver and for cuBLASLt that
 * tests run against. JavaCPP writes the JNI functions of CudaCalls, which both have. What is missing or too old is said
 * and left out. Does nothing where no source has changed. The library's name has the hash of what it is made from: JavaCPP
 * unpacks a library to a cache of the user, and takes what is there already where name, size and time agree.
 * Takes the module's folder; runs as a source file, with JavaCPP and the module's classes on the class path.
 */
final class CudaBuild {
  private static final String CALLS = "org.dyr.kernels.cuda.CudaCalls";
  private static final List<String> NVCC = List.of("-O3", "-std=c++17", "--threads", "2", "-gencode", "arch=compute_80,code=sm_80",
      "-gencode", "arch=compute_90a,code=sm_90a", "-gencode", "arch=compute_80,code=compute_80", "--compress-mode=size",
      "-Xcompiler", "-fPIC,-fvisibility=hidden");
  private static final List<String> GCC = List.of("-O2", "-std=c++17", "-fPIC", "-Wall", "-Wno-unknown-pragmas",
      "-ffp-contract=off");

  /** What the compilers say of their versions. */
  private static final Pattern NVCC_VERSION = Pattern.compile("release (\\d+\\.\\d+)");
  private static final Pattern GCC_VERSION = Pattern.compile("^(\\d+[.\\d]*)");

  private final Path module;
  private final Path classes;
  private final Path kernels;
  private final Path emulator;

  private CudaBuild(Path module) {
    this.module = module;
    classes = module.resolve("target/classes");
    kernels = module.resolve("src/main/cuda");
    emulator = module.resolve("src/emulator");
  }

  public static void main(String[] args) throws Exception {
    CudaBuild build = new CudaBuild(Path.of(args[0]).toAbsolutePath());
    boolean here = System.getProperty("os.name").equals("Linux") && System.getProperty("os.arch").equals("amd64");
    String elsewhere = here ? null : "not 64-bit Linux on x86";
    String nvcc = here ? without("nvcc", "on the PATH or in /usr/local/cuda/bin", "-V", NVCC_VERSION, "13.0") : elsewhere;
    String gcc = here ? without("g++", "on the PATH", "-dumpversion", GCC_VERSION, "10") : elsewhere;
    build.device(nvcc != null ? nvcc : gcc);
    build.emulated(gcc);
  }

  /** Why a compiler is of no use, not there or older than is needed; null where it is. */
  private static String without(String compiler, String where, String option, Pattern version, String least)
      throws IOException {
    Optional<Path> found = find(compiler);
    if (found.isEmpty()) return "no %s %s".formatted(compiler, where);
    Process process = new ProcessBuilder(found.get().toString(), option).start();
    Matcher said = version.matcher(new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8));
    if (!said.find() || major(said.group(1)) >= major(least)) return null;
    return "%s is %s, %s is needed".formatted(compiler, said.group(1), least);
  }

  private static int major(String version) {
    return Integer.parseInt(version.split("\\.")[0]);
  }

  /** The library for a device. */
  private void device(String missing) throws Exception {
    Optional<Path> nvcc = find("nvcc");
    Path folder = classes.resolve("org/dyr/kernels/cuda/linux-x86_64"), name = folder.resolve("name");
    String library = missing == null ? "jniCudaCalls-" + fingerprint(List.of("src/main/cuda", "src/build"), nvcc.get(), "-V") : "";
    if (Files.exists(name) && Files.readString(name).equals(library)) return;
    clear(folder);
    if (missing != null) {
      System.out.println("CUDA kernels: skipped, " + missing);
      return;
    }
    Path work = Files.createDirectories(module.resolve("target/cuda"));
    List<Path> objects = new ArrayList<>();
    for (Path unit : units()) {
      Path object = work.resolve(unit.getFileName() + ".o");
      run(command(nvcc.get().toString(), NVCC, "-c", "-o", object, unit));
      objects.add(object);
    }
    Path toolkit = nvcc.get().toRealPath().getParent().getParent();
    link(objects, "-L" + toolkit.resolve("lib64"), "-L" + toolkit.resolve("lib"), "-L" + home(nvcc.get()).resolve("lib64"),
        "-lcudart_static", "-ldl", "-lrt", "-lpthread");
    Files.move(folder.resolve("libjniCudaCalls.so"), folder.resolve("lib" + library + ".so"));
    Files.writeString(name, library);
  }

  /** The same over the emulator, and what stands in for NVIDIA's libraries. */
  private void emulated(String missing) throws Exception {
    Path folder = module.resolve("target/emulator"), name = folder.resolve("name");
    String of = missing == null ? fingerprint(List.of("src/main/cuda", "src/emulator", "src/build"), find("g++").get(), "--version")
        : "";
    if (Files.exists(name) && Files.readString(name).equals(of)) return;
    clear(folder);
    if (missing != null) {
      System.out.println("emulated CUDA device: skipped, " + missing);
      return;
    }
    Files.createDirectories(folder);
    Path work = Files.createDirectories(module.resolve("target/emulated"));
    List<List<String>> commands = new ArrayList<>();
    List<Path> objects = new ArrayList<>();
    for (Path unit : units()) {
      Path object = work.resolve(unit.getFileName() + ".o");
      commands.add(command("g++", GCC, "-I" + emulator, "-x", "c++", "-c", "-o", object, unit));
      objects.add(object);
    }
    Path driver = folder.resolve("libcuda.so.1");
    commands.add(command("g++", GCC, "-shared", "-Wl,-soname,libcuda.so.1", "-o", driver,
        emulator.resolve("engine.cpp"), emulator.resolve("driver.cpp")));
    commands.add(standIn("cudart", folder));
    commands.add(standIn("cublas", folder));
    commands.add(standIn("nvrtc", folder, "-DDYR_EMULATOR=0x" + of.substring(0, 7)));
    Files.copy(emulator.resolve("emulator.h"), folder.resolve("emulator.h")); // for what is compiled at run time
    runAll(commands);
    List<String> blas = new ArrayList<>(standIn("cublasLt", folder));
    blas.add(driver.toString());
    run(blas);
    link(objects, driver.toString(), "-Wl,-rpath,$ORIGIN");
    Path made = classes.resolve("org/dyr/kernels/cuda/linux-x86_64/libjniCudaCalls.so");
    Files.move(made, folder.resolve("libjniCudaCalls.so"));
    Files.writeString(name, of);
  }

  /** A library of this name and version 13, with the one version node that NVIDIA's has. */
  private List<String> standIn(String library, Path folder, String... flags) throws IOException {
    String soname = "lib" + library + ".so.13";
    Path versions = Files.writeString(module.resolve("target/emulated/" + library + ".map"), soname + " { global: cu*; nvrtc*; local: *; };\n");
    List<String> command = command("g++", GCC, "-shared", "-Wl,-soname," + soname, "-Wl,--version-script=" + versions, "-o",
        folder.resolve(soname), emulator.resolve(library + ".cpp"));
    command.addAll(List.of(flags));
    return command;
  }

  private List<Path> units() throws IOException {
    try (Stream<Path> all = Files.list(kernels)) {
      return all.filter(p -> p.toString().endsWith(".cu")).sorted().toList();
    }
  }

  /** The JNI functions and these objects in one library, beside the classes. */
  private void link(List<Path> objects, String... libraries) throws Exception {
    List<String> arguments = new ArrayList<>(List.of("-classpath", classes.toString()));
    for (Path object : objects) arguments.addAll(List.of("-Xcompiler", object.toString()));
    arguments.addAll(List.of("-Xcompiler", "-I" + kernels));
    for (String library : libraries) arguments.addAll(List.of("-Xcompiler", library));
    arguments.add(CALLS);
    Builder.main(arguments.toArray(new String[0]));
  }

  private static List<String> command(String program, List<String> flags, Object... more) {
    List<String> command = new ArrayList<>(List.of(program));
    command.addAll(flags);
    for (Object m : more) command.add(m.toString());
    return command;
  }

  private static void run(List<String> command) throws IOException, InterruptedException {
    runAll(List.of(command));
  }

  /** All at a time. */
  private static void runAll(List<List<String>> commands) throws IOException, InterruptedException {
    List<Process> running = new ArrayList<>();
    for (List<String> command : commands) running.add(new ProcessBuilder(command).inheritIO().start());
    boolean good = true;
    for (Process p : running) good &= p.waitFor() == 0;
    if (!good) throw new IllegalStateException("CUDA kernels: a compiler failed");
  }

  private static void clear(Path folder) throws IOException {
    if (!Files.exists(folder)) return;
    try (Stream<Path> all = Files.walk(folder).sorted(Comparator.reverseOrder())) {
      for (Path file : all.toList()) Files.delete(file);
    }
  }

  private static Optional<Path> find(String program) {
    String path = System.getenv().getOrDefault("PATH", "") + File.pathSeparator + "/usr/local/cuda/bin";
    return Stream.of(path.split(File.pathSeparator)).map(p -> Path.of(p, program)).filter(Files::isExecutable).findFirst();
  }

  /** Where a toolkit keeps its libraries, as nvcc itself says. */
  private static Path home(Path nvcc) {
    Path usual = Path.of("/usr/local/cuda");
    return Files.isDirectory(usual) ? usual : nvcc.getParent().getParent();
  }

  /** Of all that a library is made from. */
  private String fingerprint(List<String> folders, Path compiler, String version) throws Exception {
    MessageDigest sha = MessageDigest.getInstance("SHA-256");
    List<Path> files = new ArrayList<>();
    for (String folder : folders) {
      try (Stream<Path> all = Files.walk(module.resolve(folder))) {
        all.filter(Files::isRegularFile).sorted().forEach(files::add);
      }
    }
    files.add(module.resolve("src/main/java/" + CALLS.replace('.', '/') + ".java"));
    for (Path file : files) {
      sha.update(module.relativize(file).toString().getBytes(StandardCharsets.UTF_8));
      sha.update(Files.readAllBytes(file));
    }
    Process process = new ProcessBuilder(compiler.toString(), version).start();
    ByteArrayOutputStream said = new ByteArrayOutputStream();
    process.getInputStream().transferTo(said);
    sha.update(said.toByteArray());
    for (String entry : System.getProperty("java.class.path").split(File.pathSeparator)) {
      sha.update(Path.of(entry).getFileName().toString().getBytes(StandardCharsets.UTF_8)); // with JavaCPP's version
    }
    return HexFormat.of().formatHex(sha.digest(), 0, 8);
  }
}
