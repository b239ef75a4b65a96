package org.dyr.ranker.remote;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import org.dyr.io.AtomicFiles;

/**
 * A folder that grows locally and is uploaded from time to time: what is new or has changed goes up, and what this
 * folder brought up before and no longer has is deleted there.
 */
public final class RemoteFolder {
  private final Path local;
  private final S3Location at;
  private final String last;
  private final Map<String, Stamp> uploaded = new HashMap<>(); // name in the folder to the file as it went up
  private final Set<String> known = new TreeSet<>();           // names that are this folder's to delete

  /** A file's state, for seeing that it changed. */
  private record Stamp(long bytes, FileTime changed) {}

  /**
   * @param local a path of {@link RemotePaths}
   * @param last the name of the file that says that a folder is whole: it goes up after all others and is deleted first
   */
  public RemoteFolder(Path local, String last) {
    this.local = local;
    this.at = RemotePaths.location(local).orElseThrow();
    this.last = last;
  }

  /** The names of all objects in the folder. */
  public List<String> names() {
    return Remote.s3().list(at).stream().map(e -> e.at().key().substring(at.prefix().length())).toList();
  }

  /** Takes objects that a run before brought up for this folder's own. */
  public void own(Predicate<String> names) {
    names().stream().filter(names).forEach(known::add);
  }

  /**
   * Replaces the local folder by those objects whose names hold. It is replaced when all have come: a part of them
   * under its name would be taken for the whole, and what the bucket has more would be overwritten.
   *
   * @throws RemoteException when the bucket cannot be read or an object changes meanwhile; the local folder is then as
   *     it was
   */
  public void download(Predicate<String> names) throws IOException {
    Path coming = hidden("coming");
    AtomicFiles.removeTree(coming); // of a process that was killed
    Files.createDirectories(coming);
    Map<String, Stamp> came = new HashMap<>();
    for (S3.Entry entry : Remote.s3().list(at)) {
      String name = entry.at().key().substring(at.prefix().length());
      if (!names.test(name)) continue;
      Path file = coming.resolve(name);
      Remote.s3().get(entry, file);
      came.put(name, stamp(file));
    }
    removeLocal();
    AtomicFiles.publishDirectory(coming, local);
    uploaded.putAll(came);
  }

  /** Removes the local folder, out of sight at once: no part of it is left for a run, wherever the process is killed. */
  public void removeLocal() throws IOException {
    Path going = hidden("going");
    AtomicFiles.removeTree(going); // of a process that was killed
    if (!Files.exists(local)) return;
    Files.move(local, going, StandardCopyOption.ATOMIC_MOVE);
    AtomicFiles.removeTree(going);
  }

  private Path hidden(String what) {
    return local.resolveSibling(".%s.%s".formatted(local.getFileName(), what));
  }

  private static Stamp stamp(Path file) throws IOException {
    return new Stamp(Files.size(file), Files.getLastModifiedTime(file));
  }

  /**
   * Brings the bucket up to date.
   *
   * @throws RemoteException when the bucket cannot be written; what went up stays, the next call goes on
   */
  public void upload() throws IOException {
    List<Path> files = new ArrayList<>(Remote.files(local));
    files.sort(Comparator.comparing((Path f) -> f.getFileName().toString().equals(last)).thenComparing(f -> f));
    Set<String> names = new TreeSet<>();
    for (Path file : files) {
      String name = Remote.slashed(local.relativize(file));
      names.add(name);
      Stamp stamp = stamp(file);
      if (stamp.equals(uploaded.get(name))) continue;
      Remote.s3().put(file, at.resolve(name));
      uploaded.put(name, stamp);
      known.add(name);
    }
    List<String> gone = new ArrayList<>(known.stream().filter(name -> !names.contains(name)).toList());
    gone.sort(Comparator.comparing((String name) -> !name.endsWith("/" + last)).thenComparing(name -> name));
    for (String name : gone) {
      Remote.s3().delete(at.resolve(name));
      known.remove(name);
      uploaded.remove(name);
    }
  }

  @Override public String toString() {
    return at.toString();
  }
}
