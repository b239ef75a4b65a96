package org.dyr.ranker.remote;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.dyr.io.AtomicFiles;
import software.amazon.awssdk.awscore.exception.AwsServiceException;
import software.amazon.awssdk.core.ResponseInputStream;
import software.amazon.awssdk.core.checksums.RequestChecksumCalculation;
import software.amazon.awssdk.core.checksums.ResponseChecksumValidation;
import software.amazon.awssdk.core.exception.SdkClientException;
import software.amazon.awssdk.core.exception.SdkException;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.profiles.ProfileFile;
import software.amazon.awssdk.profiles.ProfileFileSystemSetting;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.regions.providers.AwsProfileRegionProvider;
import software.amazon.awssdk.regions.providers.AwsRegionProviderChain;
import software.amazon.awssdk.regions.providers.SystemSettingsRegionProvider;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.S3ClientBuilder;
import software.amazon.awssdk.services.s3.model.CompletedPart;
import software.amazon.awssdk.services.s3.model.GetObjectResponse;
import software.amazon.awssdk.services.s3.model.HeadObjectResponse;
import software.amazon.awssdk.services.s3.model.NoSuchKeyException;
import software.amazon.awssdk.services.s3.model.S3Object;

/**
 * The AWS SDK, which nothing but this class touches. Endpoint, region and credentials are those that every AWS tool
 * takes: {@code AWS_ENDPOINT_URL(_S3)}, {@code AWS_REGION}, {@code AWS_ACCESS_KEY_ID} and {@code
 * AWS_SECRET_ACCESS_KEY}, or the profile files. Safe for many threads.
 */
final class S3 {
  private static final long WHOLE = 256L << 20; // bytes that go in one request
  private static final int PART = 32 << 20;     // at most 10,000 parts
  private static final int CHUNK = 1 << 16;
  private static final int FORBIDDEN = 403;

  /** An object as a bucket lists it. */
  record Entry(S3Location at, String etag, long bytes) {}

  private final S3Client client;
  private final long whole;
  private final int part;

  S3() {
    this(WHOLE, PART);
  }

  /**
   * @param whole the most bytes of a file that go in one request
   * @param part bytes of each part of a longer one, at least 5 MiB
   */
  S3(long whole, int part) {
    this.whole = whole;
    this.part = part;
    boolean endpoint = hasEndpoint();
    S3ClientBuilder builder = S3Client.builder().httpClientBuilder(UrlConnectionHttpClient.builder()).region(region());
    // Other servers know neither bucket names as host names nor the newer checksums, and some do not answer to
    // "Expect: 100-continue", for which the JDK's client waits five seconds.
    if (endpoint) {
      builder.forcePathStyle(true).serviceConfiguration(c -> c.expectContinueEnabled(false))
          .requestChecksumCalculation(RequestChecksumCalculation.WHEN_REQUIRED)
          .responseChecksumValidation(ResponseChecksumValidation.WHEN_REQUIRED);
    } else {
      builder.crossRegionAccessEnabled(true);
    }
    client = builder.build();
  }

  private static boolean hasEndpoint() {
    for (String name : new String[] {"AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"}) {
      if (System.getenv(name) != null) return true;
    }
    for (String name : new String[] {"aws.endpointUrlS3", "aws.endpointUrl"}) {
      if (System.getProperty(name) != null) return true;
    }
    return ProfileFile.defaultProfileFile().profile(ProfileFileSystemSetting.AWS_PROFILE.getStringValueOrThrow())
        .flatMap(profile -> profile.property("endpoint_url")).isPresent();
  }

  /** As the environment or the profile says; the machine that this runs on is not asked. */
  private static Region region() {
    try {
      return new AwsRegionProviderChain(new SystemSettingsRegionProvider(), new AwsProfileRegionProvider()).getRegion();
    } catch (SdkClientException e) {
      return Region.US_EAST_1;
    }
  }

  /** The object of that very key. */
  Optional<Entry> find(S3Location at) {
    if (at.key().isEmpty()) return Optional.empty();
    return call(at, () -> {
      try {
        HeadObjectResponse head = client.headObject(r -> r.bucket(at.bucket()).key(at.key()));
        return Optional.of(new Entry(at, head.eTag(), head.contentLength()));
      } catch (NoSuchKeyException e) {
        return Optional.empty();
      } catch (AwsServiceException e) {
        if (e.statusCode() == 404) return Optional.empty(); // of a bucket that is not there, too: list tells
        throw e;
      }
    });
  }

  /**
   * The object of that very key, of one that need not be there. To credentials that may not list, S3 denies what is not
   * there: that counts as absent, and is told.
   */
  Optional<Entry> findOptional(S3Location at) {
    try {
      return find(at);
    } catch (RemoteException e) {
      if (!(e.getCause() instanceof AwsServiceException s) || s.statusCode() != FORBIDDEN) throw e;
      System.getLogger(S3.class.getName()).log(System.Logger.Level.WARNING,
          "{0}: access is denied, as S3 does where there is no such object and s3:ListBucket is not allowed; it is taken "
              + "as not there", at);
      return Optional.empty();
    }
  }

  /**
   * All objects of a folder, without the markers that some tools leave for folders.
   *
   * @throws RemoteException when a key has a part that no path can have
   */
  List<Entry> list(S3Location folder) {
    return call(folder, () -> {
      List<Entry> entries = new ArrayList<>();
      for (S3Object object : client.listObjectsV2Paginator(r -> r.bucket(folder.bucket()).prefix(folder.prefix()))
          .contents()) {
        if (object.key().endsWith("/")) continue;
        try {
          entries.add(new Entry(new S3Location(folder.bucket(), object.key()), object.eTag(), object.size()));
        } catch (IllegalArgumentException e) {
          throw new RemoteException(e.getMessage());
        }
      }
      return entries;
    });
  }

  /** Brings an object to a file, whole or not at all; one that changed since it was found is an error. */
  void get(Entry entry, Path to) throws IOException {
    Files.createDirectories(to.getParent());
    S3Location at = entry.at();
    try (ResponseInputStream<GetObjectResponse> in =
        call(at, () -> client.getObject(r -> r.bucket(at.bucket()).key(at.key()).ifMatch(entry.etag())))) {
      AtomicFiles.write(to, file -> {
        byte[] chunk = new byte[CHUNK];
        long bytes = 0;
        for (int n = read(in, chunk, at); n >= 0; n = read(in, chunk, at)) {
          for (ByteBuffer b = ByteBuffer.wrap(chunk, 0, n); b.hasRemaining(); ) file.write(b);
          bytes += n;
        }
        if (bytes != entry.bytes()) {
          throw new RemoteException(
              "%s: %,d bytes came of %,d; the connection broke".formatted(at, bytes, entry.bytes()));
        }
      });
    }
  }

  private static int read(InputStream in, byte[] chunk, S3Location at) {
    try {
      return in.read(chunk);
    } catch (IOException e) {
      throw new RemoteException("%s: the connection broke: %s".formatted(at, e.getMessage()), e);
    }
  }

  /** Uploads a file; the object appears whole or not at all. */
  void put(Path file, S3Location to) throws IOException {
    long bytes = Files.size(file);
    if (bytes > whole) putParts(file, bytes, to);
    else call(to, () -> client.putObject(r -> r.bucket(to.bucket()).key(to.key()), RequestBody.fromFile(file)));
  }

  private void putParts(Path file, long bytes, S3Location to) throws IOException {
    String id = call(to, () -> client.createMultipartUpload(r -> r.bucket(to.bucket()).key(to.key()))).uploadId();
    boolean complete = false;
    try (FileChannel from = FileChannel.open(file)) {
      List<CompletedPart> parts = new ArrayList<>();
      for (long at = 0; at < bytes; at += part) {
        ByteBuffer content = ByteBuffer.allocate((int) Math.min(part, bytes - at));
        while (content.hasRemaining() && from.read(content, at + content.position()) >= 0) { }
        if (content.hasRemaining()) throw new RemoteException(file + ": became shorter while it was uploaded");
        int number = parts.size() + 1;
        String etag = call(to, () -> client.uploadPart(r -> r.bucket(to.bucket()).key(to.key()).uploadId(id)
            .partNumber(number), RequestBody.fromBytes(content.array()))).eTag();
        parts.add(CompletedPart.builder().partNumber(number).eTag(etag).build());
      }
      call(to, () -> client.completeMultipartUpload(r -> r.bucket(to.bucket()).key(to.key()).uploadId(id)
          .multipartUpload(u -> u.parts(parts))));
      complete = true;
    } finally {
      if (!complete) abandon(to, id);
    }
  }

  /** Frees the parts of an upload that failed; when that fails too, the failure before is what matters. */
  private void abandon(S3Location to, String id) {
    try {
      client.abortMultipartUpload(r -> r.bucket(to.bucket()).key(to.key()).uploadId(id));
    } catch (SdkException e) {
      System.getLogger(S3.class.getName()).log(System.Logger.Level.WARNING,
          "the parts of a failed upload to {0} are still there: {1}", to, e.getMessage());
    }
  }

  void delete(S3Location at) {
    call(at, () -> client.deleteObject(r -> r.bucket(at.bucket()).key(at.key())));
  }

  private static <T> T call(S3Location at, Supplier<T> request) {
    try {
      return request.get();
    } catch (AwsServiceException e) {
      String code = e.awsErrorDetails() == null || e.awsErrorDetails().errorCode() == null ? ""
          : " (" + e.awsErrorDetails().errorCode() + ")";
      String why = switch (e.statusCode()) {
        case FORBIDDEN -> "access is denied" + code + ": these credentials are wrong or may not do this";
        case 404 -> code.contains("NoSuchKey") ? "no such object" : "no such bucket " + at.bucket();
        case 412 -> "has changed since it was listed; run again";
        default -> "the server says %d%s: %s".formatted(e.statusCode(), code, e.getMessage());
      };
      throw new RemoteException(at + ": " + why, e);
    } catch (SdkClientException e) {
      boolean credentials = String.valueOf(e.getMessage()).contains("Unable to load credentials");
      throw new RemoteException(at + ": " + (credentials
          ? "no credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile file, give them"
          : "cannot be reached: " + e.getMessage()), e);
    }
  }
}
