/** DYR's ranker: text, data, groups. The engine is the module of core. */
module org.dyr.ranker {
  requires ai.djl.tokenizers;
  requires com.fasterxml.jackson.databind;

  exports org.dyr.ranker.data;
  exports org.dyr.ranker.group;
  exports org.dyr.ranker.text;
}
