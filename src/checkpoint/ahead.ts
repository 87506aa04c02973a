/** Takes from a source before it is asked to, so that work on one thing and waiting for the next go on at the same time. */

/**
 * What `source` yields, in order. At most `most` of it has begun and is not taken yet, so memory stays bounded. A failure comes in
 * its place; who stops early ends the source too.
 */
export async function* ahead<T>(source: AsyncGenerator<T>, most: number): AsyncGenerator<T> {
  const begun: Promise<IteratorResult<T>>[] = [];
  const begin = () => {
    // a generator answers one call after the other, in order
    const next = source.next();
    next.catch(() => undefined); // awaited below, or not needed any more
    begun.push(next);
  };
  try {
    for (let count = 0; count < most; count++) begin();
    for (let next = begun.shift(); next; next = begun.shift()) {
      const result = await next;
      if (result.done) return;
      yield result.value;
      begin();
    }
  } finally {
    // not awaited: it comes after what has begun, which may wait for a network
    source.return(undefined).catch(() => undefined);
  }
}
