package org.dyr.ranker.remote;

import com.robothy.s3.rest.LocalS3;
import com.robothy.s3.rest.bootstrap.LocalS3Mode;
import java.io.IOException;
import java.net.URI;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.function.Supplier;
import software.amazon.awssdk.auth.credentials.AwsBasicCredentials;
import software.amazon.awssdk.auth.credentials.StaticCredentialsProvider;
import software.amazon.awssdk.core.SdkRequest;
import software.amazon.awssdk.core.interceptor.Context;
import software.amazon.awssdk.core.interceptor.ExecutionAttributes;
import software.amazon.awssdk.core.interceptor.ExecutionInterceptor;
import software.amazon.awssdk.core.sync.RequestBody;
import software.amazon.awssdk.http.urlconnection.UrlConnectionHttpClient;
import software.amazon.awssdk.regions.Region;
import software.amazon.awssdk.services.s3.S3Client;
import software.amazon.awssdk.services.s3.model.S3Exception;
import software.amazon.awssdk.services.s3.model.S3Object;

/**
 * An S3 server in this process with one bucket, and a client of the test's own to look into it. While it is open, the
 * program's endpoint, credentials and cache are those of the test.
 */
public final class Buckets implements AutoCloseable {
  public static final String BUCKET = "dyr-test";
  private static final String KEY = "aws.accessKeyId";
  private static final String SECRET = "aws.secretAccessKey";
  private static final int FORBIDDEN = 403;

  static { // neither the server's own leaks nor that nobody listens to logs is the tests' matter
    System.setProperty("io.netty.leakDetection.level", "disabled");
    System.setProperty("slf4j.internal.verbosity", "ERROR");
  }

  private static volatile Predicate<SdkRequest> refused = request -> false;

  private final LocalS3 server = LocalS3.builder().port(-1).mode(LocalS3Mode.IN_MEMORY).build();
  private final Map<String, String> settings;
  private final S3Client client;

  public Buckets(Path cache) {
    server.start();
    String endpoint = "http://127.0.0.1:" + server.getPort();
    settings = Map.of("aws.endpointUrl", endpoint, "aws.region", "us-east-1", KEY, "test", SECRET, "test",
        "aws.disableEc2Metadata", "true", "aws.configFile", cache.resolve("none").toString(),
        "aws.sharedCredentialsFile", cache.resolve("none").toString(), "dyr.cache", cache.toString());
    settings.forEach(System::setProperty);
    Remote.reset();
    client = S3Client.builder().httpClientBuilder(UrlConnectionHttpClient.builder()).region(Region.US_EAST_1)
        .endpointOverride(URI.create(endpoint)).forcePathStyle(true).credentialsProvider(
            StaticCredentialsProvider.create(AwsBasicCredentials.create("other", "other"))).build();
    client.createBucket(r -> r.bucket(BUCKET));
  }

  public static String url(String key) {
    return "s3://" + BUCKET + "/" + key;
  }

  public void put(String key, byte[] content) {
    client.putObject(r -> r.bucket(BUCKET).key(key), RequestBody.fromBytes(content));
  }

  public void put(String key, Path file) {
    client.putObject(r -> r.bucket(BUCKET).key(key), file);
  }

  public byte[] get(String key) {
    return client.getObjectAsBytes(r -> r.bucket(BUCKET).key(key)).asByteArray();
  }

  public void delete(String key) {
    client.deleteObject(r -> r.bucket(BUCKET).key(key));
  }

  /** All keys that begin so, sorted. */
  public List<String> keys(String prefix) {
    return client.listObjectsV2Paginator(r -> r.bucket(BUCKET).prefix(prefix)).contents().stream().map(S3Object::key)
        .sorted().toList();
  }

  /** Runs something without any credentials. */
  public void withoutCredentials(Runnable test) {
    System.clearProperty(KEY);
    System.clearProperty(SECRET);
    Remote.reset();
    try {
      test.run();
    } finally {
      settings.forEach(System::setProperty);
      Remote.reset();
    }
  }

  /** Runs something while no server listens where the endpoint is. */
  public <T> T unreachable(Supplier<T> test) {
    System.setProperty("aws.endpointUrl", "http://127.0.0.1:1");
    Remote.reset();
    try {
      return test.get();
    } finally {
      settings.forEach(System::setProperty);
      Remote.reset();
    }
  }

  /** Something that reads or writes. */
  public interface Attempt<T> {
    T run() throws IOException;
  }

  /** Runs something while requests of a kind for a key are denied, as to credentials that may not make them. */
  public <T> T refusing(Class<? extends SdkRequest> kind, String key, Attempt<T> test) throws IOException {
    refused = request -> kind.isInstance(request)
        && request.getValueForField("Key", String.class).filter(key::equals).isPresent();
    try {
      return test.run();
    } finally {
      refused = request -> false;
    }
  }

  /** Has every client of this process deny what is refused; the SDK finds it by its name among the test's resources. */
  public static final class Refusing implements ExecutionInterceptor {
    @Override public void beforeExecution(Context.BeforeExecution context, ExecutionAttributes attributes) {
      if (refused.test(context.request())) {
        throw S3Exception.builder().statusCode(FORBIDDEN).message("refused by the test").build();
      }
    }
  }

  @Override public void close() {
    settings.keySet().forEach(System::clearProperty);
    Remote.reset();
    client.close();
    server.shutdown();
  }
}
