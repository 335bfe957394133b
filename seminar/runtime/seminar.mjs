// The runtime in JavaScript: seminar.wasm behind the calls of seminar.h, for browsers and Node.
//
//   const runtime = await Seminar.load(await (await fetch("seminar.wasm")).arrayBuffer());
//   const model = runtime.open(await (await fetch("model.safetensors")).arrayBuffer());
//   const user = model.user({k: 20});
//   user.append({item: "318", query: "prison"});
//   const {scores} = user.rank([{item: "1"}]);
//
// Items and queries are texts, their ids in the data set and what was asked, or numbers, their places in the model. A
// text that was never asked is encoded where the model reads words. Wrong arguments throw an Error with the runtime's message. close() gives memory back; what was not closed stays until
// the runtime itself goes.

const pairBytes = 12; // item i32, query i32, query_vector pointer

export class Seminar {
  /** From the bytes of seminar.wasm. */
  static async load(bytes) {
    const module = await WebAssembly.compile(bytes);
    // The C library could write to a terminal; the runtime never does.
    const imports = {};
    for (const {module: from, name} of WebAssembly.Module.imports(module))
      (imports[from] ??= {})[name] = () => 52; // not supported
    return new Seminar((await WebAssembly.instantiate(module, imports)).exports);
  }

  constructor(exports) {
    this.c = exports;
    const abi = 1;
    if (exports.seminar_abi_version() !== abi) throw new Error(`seminar.wasm has ABI ${exports.seminar_abi_version()}, not ${abi}`);
  }

  get version() { return this.text(this.c.seminar_version()); }

  /** A model from the bytes of a file of `seminar export`; they are copied. */
  open(bytes) {
    const file = this.take(bytes.byteLength);
    new Uint8Array(this.c.memory.buffer, file, bytes.byteLength).set(new Uint8Array(bytes.buffer ?? bytes, bytes.byteOffset ?? 0, bytes.byteLength));
    try {
      return new Model(this, file, this.out((at) => this.c.seminar_model_open_memory(file, bytes.byteLength, 0, at)));
    } catch (error) {
      this.c.free(file);
      throw error;
    }
  }

  // Memory of the module.
  take(bytes) {
    if (!(bytes < 2 ** 32 - 64)) throw new Error(`seminar.wasm: out of memory: ${bytes} bytes`);
    const at = this.c.malloc(Math.max(bytes, 1)) >>> 0; // pointers above 2 GiB come as negative numbers
    if (at === 0) throw new Error("seminar.wasm: out of memory");
    return at;
  }
  // Runs f(pointer) with `bytes` bytes that are given back afterwards.
  within(bytes, f) {
    const at = this.take(bytes);
    try {
      return f(at);
    } finally {
      this.c.free(at);
    }
  }
  ints(at, count) { return new Int32Array(this.c.memory.buffer, at, count); }
  words(at, count) { return new Uint32Array(this.c.memory.buffer, at, count); }
  floats(at, count) { return new Float32Array(this.c.memory.buffer, at, count); }
  text(at, length) {
    const bytes = new Uint8Array(this.c.memory.buffer, at >>> 0);
    return new TextDecoder().decode(bytes.slice(0, length ?? bytes.indexOf(0)));
  }
  check(status) {
    if (status !== 0) throw new Error(this.text(this.c.seminar_last_error()));
  }
  // The word that f(pointer) writes.
  out(f) {
    return this.within(4, (at) => {
      this.check(f(at));
      return this.words(at, 1)[0];
    });
  }
  // Runs f(pointer, length) on a text's bytes.
  withText(text, f) {
    const bytes = new TextEncoder().encode(text);
    return this.within(bytes.length, (at) => {
      new Uint8Array(this.c.memory.buffer, at, bytes.length).set(bytes);
      return f(at, bytes.length);
    });
  }
}

class Model {
  constructor(runtime, file, handle) {
    this.runtime = runtime;
    this.file = file;
    this.handle = handle;
    this.finder = 0;
    this.holders = 1; // the caller until close(), and users: the bytes of the file stay as long
    const names = ["items", "queries", "channels", "width", "heads", "history", "k", "hasCodes", "readsTexts"];
    runtime.within(4 * names.length, (at) => {
      runtime.check(runtime.c.seminar_model_describe(handle, at));
      names.forEach((name, i) => (this[name] = runtime.ints(at, names.length)[i]));
    });
  }

  /** The model's own channel weights, query first. */
  weights() {
    return this.runtime.within(4 * this.channels, (at) => {
      this.runtime.check(this.runtime.c.seminar_model_weights(this.handle, at));
      return Array.from(this.runtime.floats(at, this.channels));
    });
  }
  /** The number of the item of that name. */
  item(name) {
    return this.runtime.withText(name, (text, n) => this.runtime.out((at) => this.runtime.c.seminar_item_find(this.handle, text, n, at)));
  }
  /** The number of the query of that text. */
  query(text) {
    return this.runtime.withText(text, (bytes, n) => this.runtime.out((at) => this.runtime.c.seminar_query_find(this.handle, bytes, n, at)));
  }
  /** The vector [width] of a text that was never asked: for {item, queryVector}. */
  encode(text) {
    const {c} = this.runtime;
    return this.runtime.within(4 * this.width, (at) => {
      this.runtime.check(this.runtime.withText(text, (bytes, n) => c.seminar_query_encode(this.handle, bytes, n, at)));
      return Float32Array.from(this.runtime.floats(at, this.width));
    });
  }
  /** Whether there is an item of that name. */
  has(name) {
    const {c} = this.runtime;
    return this.runtime.within(4, (at) => this.runtime.withText(name, (text, n) => c.seminar_item_find(this.handle, text, n, at)) === 0);
  }
  // {item, query, queryVector} as numbers of the model and a vector or null.
  pair({item, query = 0, queryVector = null}) {
    const number = (value, what) => {
      if (!Number.isInteger(value) || Math.abs(value) >= 2 ** 31) throw new Error(`${what}: must be a text or a whole number: ${value}`);
      return value;
    };
    if (typeof item === "string") item = this.item(item);
    if (typeof query === "string") {
      const known = this.find(query);
      if (known < 0) queryVector = this.encode(query);
      query = Math.max(known, 0);
    }
    if (queryVector && queryVector.length !== this.width) throw new Error(`queryVector: ${this.width} numbers are needed: ${queryVector.length}`);
    return {item: number(item, "item"), query: number(query, "query"), queryVector};
  }
  // The number of the query of that text, -1 if there is none.
  find(text) {
    const {c} = this.runtime, notFound = 4;
    return this.runtime.within(4, (at) => {
      const status = this.runtime.withText(text, (bytes, n) => c.seminar_query_find(this.handle, bytes, n, at));
      if (status === notFound) return -1;
      this.runtime.check(status);
      return this.runtime.ints(at, 1)[0];
    });
  }
  // Runs f(pointer) on pairs in memory.
  withPairs(list, f) {
    const pairs = Array.from(list, (pair) => this.pair(pair)), vectors = pairs.filter((pair) => pair.queryVector).length;
    return this.runtime.within(pairBytes * pairs.length + 4 * this.width * vectors, (at) => {
      let vector = at + pairBytes * pairs.length;
      pairs.forEach(({item, query, queryVector}, i) => {
        this.runtime.ints(at + pairBytes * i, 3).set([item, query, queryVector ? vector : 0]);
        if (!queryVector) return;
        this.runtime.floats(vector, this.width).set(queryVector);
        vector += 4 * this.width;
      });
      return f(at);
    });
  }
  letGo() {
    if (--this.holders === 0) this.runtime.c.free(this.file);
  }
  /** {name, title} of an item, by its number. */
  describe(item) {
    return this.runtime.within(16, (at) => {
      this.runtime.check(this.runtime.c.seminar_item_text(this.handle, item, at, at + 4, at + 8, at + 12));
      const [name, nameLength, title, titleLength] = this.runtime.words(at, 4);
      return {name: this.runtime.text(name, nameLength), title: this.runtime.text(title, titleLength)};
    });
  }
  queryText(query) {
    return this.runtime.within(8, (at) => {
      this.runtime.check(this.runtime.c.seminar_query_text(this.handle, query, at, at + 4));
      return this.runtime.text(...this.runtime.words(at, 2));
    });
  }
  /** A user without history. Options as in seminar.h: history, k, codes, weights (one a channel). */
  user(options = {}) { return new User(this, options); }
  close() {
    if (this.handle === 0) return;
    this.runtime.c.seminar_finder_destroy(this.finder);
    this.runtime.c.seminar_model_close(this.handle);
    this.handle = this.finder = 0;
    this.letGo();
  }
}

class User {
  constructor(model, {history, k, codes = false, weights}) {
    const runtime = (this.runtime = model.runtime);
    this.model = model;
    this.heads = model.heads;
    this.k = k ?? Math.min(model.k, history ?? model.history);
    this.handle = runtime.within(16 + 4 * model.channels, (at) => {
      runtime.ints(at, 4).set([history ?? model.history, this.k, codes ? 1 : 0, weights ? at + 16 : 0]);
      if (weights) {
        if (weights.length !== model.channels) throw new Error(`weights: ${model.channels} are needed: ${weights.length}`);
        runtime.floats(at + 16, model.channels).set(weights);
      }
      return runtime.out((out) => runtime.c.seminar_user_create(model.handle, at, out));
    });
    ++model.holders;
  }
  /** Adds a behaviour {item, query}, the newest. */
  append(behaviour) {
    this.model.withPairs([behaviour], (at) => this.runtime.check(this.runtime.c.seminar_user_append(this.handle, at)));
  }
  clear() { this.runtime.check(this.runtime.c.seminar_user_clear(this.handle)); }
  /** Ranks pairs {item, query}: {scores}, and with `explain` also {retrieved, attention}, per candidate the positions of
   *  the retrieved behaviours (0: the oldest), best first, and per head what attention gave each. */
  rank(candidates, {explain = false} = {}) {
    const {c} = this.runtime, n = candidates.length, k = this.k, h = this.heads;
    const reasons = 4 * n, retrieved = reasons + 8, attention = retrieved + 4 * n * k;
    const room = explain ? attention + 4 * n * h * k : 4 * n;
    return this.model.withPairs(candidates, (pairs) => this.runtime.within(room, (at) => {
      if (explain) this.runtime.words(at + reasons, 2).set([at + retrieved, at + attention]);
      this.runtime.check(c.seminar_rank(this.handle, pairs, n, at, explain ? at + reasons : 0));
      const out = {scores: Array.from(this.runtime.floats(at, n))};
      if (!explain) return out;
      out.retrieved = [];
      out.attention = [];
      for (let i = 0; i < n; ++i) {
        const found = Array.from(this.runtime.ints(at + retrieved + 4 * i * k, k)).filter((position) => position >= 0);
        out.retrieved.push(found);
        out.attention.push(Array.from({length: h}, (_, head) =>
          Array.from(this.runtime.floats(at + attention + 4 * (i * h + head) * k, found.length))));
      }
      return out;
    }));
  }
  /** The best n items of the whole catalogue: {items, scores}, best first, items by name. `allow` and `deny` are items;
   *  those of the history are left out unless `withSeen`. */
  top(n, {query = 0, allow, deny, withSeen = false} = {}) {
    const {runtime, model} = this, {c} = runtime, bytes = (model.items >> 3) + 1;
    if (!Number.isInteger(n) || n < 1 || n > model.items) throw new Error(`n must be from 1 to ${model.items}: ${n}`);
    const bits = (items) => {
      const list = new Uint8Array(bytes);
      for (const item of items) {
        const {item: number} = model.pair({item});
        if (number < 1 || number > model.items) throw new Error(`items must be from 1 to ${model.items}: ${number}`);
        list[number >> 3] |= 1 << (number & 7);
      }
      return list;
    };
    const lists = [allow && bits(allow), deny && bits(deny)];
    model.finder ||= runtime.out((at) => c.seminar_finder_create(model.handle, at)); // one for all users
    const asked = {...model.pair({item: 1, query})}, items = 24, scores = items + 4 * n, room = scores + 4 * n;
    return model.withPairs([asked], (pair) => runtime.within(room + 2 * bytes, (at) => {
      lists.forEach((list, i) => list && new Uint8Array(c.memory.buffer, at + room + i * bytes, bytes).set(list));
      runtime.words(at, 4).set([allow ? at + room : 0, deny ? at + room + bytes : 0, bytes, withSeen ? 1 : 0]);
      runtime.check(c.seminar_top(model.finder, this.handle, pair, n, at, at + items, at + scores, at + 16));
      const found = runtime.words(at + 16, 1)[0];
      return {items: Array.from(runtime.ints(at + items, found), (item) => model.describe(item).name),
              scores: Array.from(runtime.floats(at + scores, found))};
    }));
  }
  close() {
    if (this.handle === 0) return;
    this.runtime.c.seminar_user_destroy(this.handle);
    this.handle = 0;
    this.model.letGo();
  }
}
