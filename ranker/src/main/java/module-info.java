/**
 * DYR: training, evaluation, reranking, the command line, and {@link org.dyr.ranker.Ranker}, which applications embed.
 */
module org.dyr.ranker {
  requires transitive org.dyr.core;
  requires org.dyr.formats;
  requires ai.djl.tokenizers;
  requires com.fasterxml.jackson.databind;
  requires info.picocli;
  requires org.apache.lucene.analysis.common;
  requires org.apache.lucene.core;
  requires org.yaml.snakeyaml;
  requires java.logging;
  requires jdk.management;
  requires software.amazon.awssdk.awscore;
  requires software.amazon.awssdk.core;
  requires software.amazon.awssdk.http.urlconnection;
  requires software.amazon.awssdk.profiles;
  requires software.amazon.awssdk.regions;
  requires software.amazon.awssdk.services.s3;
  requires software.amazon.awssdk.http;
  requires me.tongfei.progressbar;

  exports org.dyr.ranker;

  opens org.dyr.ranker.cli to info.picocli;
}
