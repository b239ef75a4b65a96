/**
 * Files in S3 buckets. {@link org.dyr.ranker.remote.RemotePaths} gives every {@code s3://bucket/key} a path in a local
 * cache, by its name alone; {@link org.dyr.ranker.remote.Remote} fetches what is to be read there and uploads what was
 * written. Nothing else in the program knows of S3: it maps, renames and forces local files. The AWS SDK is loaded when
 * the first such path is used.
 * Imports: core's {@code io}. Imported by: cli, train. Start with {@link org.dyr.ranker.remote.Remote}.
 */
package org.dyr.ranker.remote;
