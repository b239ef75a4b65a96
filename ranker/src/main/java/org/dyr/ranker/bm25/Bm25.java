package org.dyr.ranker.bm25;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.apache.lucene.analysis.Analyzer;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.tokenattributes.CharTermAttribute;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.Field;
import org.apache.lucene.document.SortedDocValuesField;
import org.apache.lucene.document.StringField;
import org.apache.lucene.document.TextField;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.IndexWriterConfig;
import org.apache.lucene.index.MultiTerms;
import org.apache.lucene.index.Term;
import org.apache.lucene.index.Terms;
import org.apache.lucene.index.TermsEnum;
import org.apache.lucene.search.BooleanClause.Occur;
import org.apache.lucene.search.BooleanQuery;
import org.apache.lucene.search.BoostQuery;
import org.apache.lucene.search.FieldDoc;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.ScoreDoc;
import org.apache.lucene.search.Sort;
import org.apache.lucene.search.SortField;
import org.apache.lucene.search.TermInSetQuery;
import org.apache.lucene.search.TermQuery;
import org.apache.lucene.search.similarities.BM25Similarity;
import org.apache.lucene.store.ByteBuffersDirectory;
import org.apache.lucene.store.Directory;
import org.apache.lucene.store.FSDirectory;
import org.apache.lucene.util.BytesRef;
import org.dyr.io.AtomicFiles;
import org.dyr.ranker.data.Passage;
import org.dyr.ranker.data.Query;
import org.dyr.ranker.eval.ScoredPool;

/**
 * BM25 (Robertson and Zaragoza 2009) as Lucene computes it, over an index of its own that goes when this is closed.
 * Statistics are those of all the passages given; a passage's length is kept in one byte, exact to 40 words and within
 * an eighth above. Safe for many threads.
 */
public final class Bm25 implements AutoCloseable {

  /** Where the index is kept. */
  public enum Place { MEMORY, TEMPORARY_FOLDER }

  private static final String ID = "id";
  private static final String TEXT = "text";
  private static final Sort BY_SCORE_THEN_ID =
      new Sort(SortField.FIELD_SCORE, new SortField(ID, SortField.Type.STRING));

  private final Path folder; // null in memory
  private final Directory directory;
  private final Analyzer analyzer;
  private final DirectoryReader reader;
  private final IndexSearcher searcher;

  /** An index in memory. Each id must occur once. */
  public static Bm25 of(Collection<Passage> passages, Bm25Settings settings) {
    var rest = passages.iterator();
    return new Bm25(() -> rest.hasNext() ? rest.next() : null, settings, Place.MEMORY, false);
  }

  /**
   * Indexes passages as they come.
   *
   * @param next the next passage, null after the last; what it throws ends the work, and nothing is left behind
   * @param keepTexts whether {@link #passage} will be asked
   * @throws IllegalArgumentException when an id occurs twice
   * @throws UncheckedIOException when the temporary folder cannot hold the index
   */
  public Bm25(Supplier<Passage> next, Bm25Settings settings, Place place, boolean keepTexts) {
    BM25Similarity similarity = new BM25Similarity(settings.k1(), settings.b());
    analyzer = settings.analysis().analyzer();
    Path made = null;
    boolean complete = false;
    try {
      if (place == Place.TEMPORARY_FOLDER) made = Files.createTempDirectory("dyr-bm25-");
      folder = made;
      directory = folder == null ? new ByteBuffersDirectory() : FSDirectory.open(folder);
      try (IndexWriter writer = new IndexWriter(directory, new IndexWriterConfig(analyzer).setSimilarity(similarity))) {
        for (Passage p; (p = next.get()) != null;) writer.addDocument(document(p, keepTexts));
      }
      reader = DirectoryReader.open(directory);
      searcher = new IndexSearcher(reader);
      searcher.setSimilarity(similarity);
      requireDistinctIds();
      complete = true;
    } catch (IOException e) {
      throw failure(made, e);
    } finally {
      if (!complete) remove(made);
    }
  }

  private static Document document(Passage p, boolean keepText) {
    Document d = new Document();
    d.add(new StringField(ID, p.id(), Field.Store.NO));
    d.add(new SortedDocValuesField(ID, new BytesRef(p.id())));
    d.add(new TextField(TEXT, p.text(), keepText ? Field.Store.YES : Field.Store.NO));
    return d;
  }

  private void requireDistinctIds() throws IOException {
    Terms ids = MultiTerms.getTerms(reader, ID);
    if (ids == null) return; // no passage at all
    TermsEnum each = ids.iterator();
    for (BytesRef id; (id = each.next()) != null;) {
      if (each.docFreq() > 1) {
        reader.close();
        throw new IllegalArgumentException("passage id \"%s\" is there twice".formatted(id.utf8ToString()));
      }
    }
  }

  /** The temporary folder, or null in memory. */
  Path folder() {
    return folder;
  }

  /** The number of passages. */
  public int size() {
    return reader.numDocs();
  }

  /**
   * The best passages for a text: falling score, equal scores by rising id (as UTF-8 bytes). A passage that shares no
   * word with the text is not among them. Of a text with more distinct words than Lucene takes (1,024) the first count.
   */
  public List<ScoredPool.Passage> search(String text, int depth) {
    BooleanQuery words = words(text).build();
    return words.clauses().isEmpty() ? List.of() : search(words, depth);
  }

  /** Scores the query's pool; a passage that shares no word with the query has score 0. */
  public ScoredPool score(Query query) {
    Map<String, Float> scores = new HashMap<>();
    BooleanQuery words = words(query.text()).build();
    if (!words.clauses().isEmpty() && !query.pool().isEmpty()) {
      List<BytesRef> ids = query.pool().stream().map(p -> new BytesRef(p.id())).toList();
      var inPool = new BooleanQuery.Builder().add(words, Occur.MUST).add(new TermInSetQuery(ID, ids), Occur.FILTER);
      search(inPool.build(), query.pool().size()).forEach(hit -> scores.put(hit.pid(), hit.score()));
    }
    List<ScoredPool.Passage> scored = new ArrayList<>();
    for (Passage p : query.pool()) scored.add(new ScoredPool.Passage(p.id(), scores.getOrDefault(p.id(), 0f)));
    return new ScoredPool(query.id(), scored);
  }

  /** The passage of that id, or null; only where texts are kept. */
  public Passage passage(String id) {
    try {
      ScoreDoc[] found = searcher.search(new TermQuery(new Term(ID, id)), 1).scoreDocs;
      return found.length == 0 ? null : new Passage(id, searcher.storedFields().document(found[0].doc).get(TEXT));
    } catch (IOException e) {
      throw failure(folder, e);
    }
  }

  private List<ScoredPool.Passage> search(BooleanQuery query, int depth) {
    try {
      List<ScoredPool.Passage> hits = new ArrayList<>();
      for (ScoreDoc hit : searcher.search(query, depth, BY_SCORE_THEN_ID).scoreDocs) {
        Object[] keys = ((FieldDoc) hit).fields; // those of the sort: score, id
        hits.add(new ScoredPool.Passage(((BytesRef) keys[1]).utf8ToString(), (Float) keys[0]));
      }
      return hits;
    } catch (IOException e) {
      throw failure(folder, e);
    }
  }

  /** Any of the text's words; one that comes n times counts n times. */
  private BooleanQuery.Builder words(String text) {
    Map<String, Integer> counts = new LinkedHashMap<>();
    try (TokenStream tokens = analyzer.tokenStream(TEXT, text)) {
      CharTermAttribute token = tokens.getAttribute(CharTermAttribute.class);
      tokens.reset();
      while (tokens.incrementToken()) counts.merge(token.toString(), 1, Integer::sum);
      tokens.end();
    } catch (IOException e) {
      throw failure(folder, e);
    }
    BooleanQuery.Builder any = new BooleanQuery.Builder();
    counts.entrySet().stream().limit(IndexSearcher.getMaxClauseCount()).forEach(word -> any.add(
        new BoostQuery(new TermQuery(new Term(TEXT, word.getKey())), word.getValue()), Occur.SHOULD));
    return any;
  }

  private static UncheckedIOException failure(Path folder, IOException e) {
    String where = folder == null ? ""
        : " in " + folder + " (-Djava.io.tmpdir=DIR in DYR_JAVA_OPTIONS names another place)";
    return new UncheckedIOException("BM25 index%s: %s".formatted(where, e.getMessage()), e);
  }

  private static void remove(Path folder) {
    if (folder == null) return;
    try {
      AtomicFiles.removeTree(folder);
    } catch (IOException e) {
      throw failure(folder, e);
    }
  }

  /** Gives back memory, or removes the temporary folder. */
  @Override public void close() {
    try {
      reader.close();
      directory.close();
      analyzer.close();
    } catch (IOException e) {
      throw failure(folder, e);
    } finally {
      remove(folder);
    }
  }
}
