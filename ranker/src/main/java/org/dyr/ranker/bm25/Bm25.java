package org.dyr.ranker.bm25;

import java.io.IOException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.apache.lucene.analysis.standard.StandardAnalyzer;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.Field;
import org.apache.lucene.document.StringField;
import org.apache.lucene.document.TextField;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.IndexWriterConfig;
import org.apache.lucene.index.StoredFields;
import org.apache.lucene.search.BooleanClause.Occur;
import org.apache.lucene.search.BooleanQuery;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.ScoreDoc;
import org.apache.lucene.search.TermInSetQuery;
import org.apache.lucene.search.similarities.BM25Similarity;
import org.apache.lucene.store.ByteBuffersDirectory;
import org.apache.lucene.util.BytesRef;
import org.apache.lucene.util.QueryBuilder;
import org.dyr.ranker.data.Passage;
import org.dyr.ranker.data.Query;
import org.dyr.ranker.eval.ScoredPool;

/**
 * BM25 (Robertson and Zaragoza 2009) over passages indexed in memory: Lucene's standard analyzer, no stemming, k1 0.9 and
 * b 0.4 as is usual for MS MARCO. Collection statistics are those of all the passages given.
 */
public final class Bm25 implements AutoCloseable {
  private static final float K1 = 0.9f;
  private static final float B = 0.4f;
  private static final String ID = "id";
  private static final String TEXT = "text";

  private final ByteBuffersDirectory directory = new ByteBuffersDirectory();
  private final StandardAnalyzer analyzer = new StandardAnalyzer();
  private final DirectoryReader reader;
  private final IndexSearcher searcher;

  /** Indexes the passages; each id must occur once. */
  public Bm25(Collection<Passage> passages) throws IOException {
    BM25Similarity similarity = new BM25Similarity(K1, B);
    try (IndexWriter writer = new IndexWriter(directory, new IndexWriterConfig(analyzer).setSimilarity(similarity))) {
      for (Passage p : passages) {
        Document d = new Document();
        d.add(new StringField(ID, p.id(), Field.Store.YES));
        d.add(new TextField(TEXT, p.text(), Field.Store.NO));
        writer.addDocument(d);
      }
    }
    reader = DirectoryReader.open(directory);
    searcher = new IndexSearcher(reader);
    searcher.setSimilarity(similarity);
  }

  /** Scores the query's pool; a passage that shares no word with the query has score 0. */
  public ScoredPool score(Query query) throws IOException {
    Map<String, Float> scores = new HashMap<>();
    var words = new QueryBuilder(analyzer).createBooleanQuery(TEXT, query.text());
    if (words != null && !query.pool().isEmpty()) {
      List<BytesRef> ids = query.pool().stream().map(p -> new BytesRef(p.id())).toList();
      var inPool = new BooleanQuery.Builder().add(words, Occur.MUST).add(new TermInSetQuery(ID, ids), Occur.FILTER).build();
      StoredFields fields = reader.storedFields();
      for (ScoreDoc hit : searcher.search(inPool, query.pool().size()).scoreDocs) {
        scores.put(fields.document(hit.doc).get(ID), hit.score);
      }
    }
    List<ScoredPool.Passage> scored = new ArrayList<>();
    for (Passage p : query.pool()) scored.add(new ScoredPool.Passage(p.id(), scores.getOrDefault(p.id(), 0f)));
    return new ScoredPool(query.id(), scored);
  }

  @Override public void close() throws IOException {
    reader.close();
    directory.close();
    analyzer.close();
  }
}
