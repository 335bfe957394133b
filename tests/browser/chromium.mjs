// Headless Chromium by its DevTools protocol over a pipe: https://chromedevtools.github.io/devtools-protocol/
import {spawn} from "node:child_process";
import {mkdtempSync, rmSync, writeFileSync} from "node:fs";
import {tmpdir} from "node:os";
import {join} from "node:path";

const patience = 60000; // ms: for machines that are slow or busy

export class Chromium {
  /** Starts the browser with a profile of its own. */
  constructor(program) {
    this.profile = mkdtempSync(join(tmpdir(), "seminar-browser-"));
    this.process = spawn(program, ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
      "--no-first-run", "--disable-dev-shm-usage", "--remote-debugging-pipe", `--user-data-dir=${this.profile}`],
      {stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"]});
    this.waiting = new Map();
    this.listeners = [];
    this.count = 0;
    let rest = "";
    this.process.stdio[4].setEncoding("utf8").on("data", (text) => {
      const messages = (rest + text).split("\0");
      rest = messages.pop();
      for (const message of messages) this.receive(JSON.parse(message));
    });
    for (const source of [this.process, this.process.stdio[3], this.process.stdio[4]])
      source.on("error", (error) => this.fail(error));
    this.closed = new Promise((resolve) => this.process.on("close", resolve));
    this.closed.then(() => this.fail(new Error(`${program} has ended`)));
  }
  fail(error) {
    this.failure ??= error;
    for (const {reject} of this.waiting.values()) reject(error);
    this.waiting.clear();
  }
  receive({id, result, error, method, params, sessionId}) {
    if (id === undefined) return this.listeners.forEach((listen) => listen(method, params, sessionId));
    const {resolve, reject} = this.waiting.get(id) ?? {};
    this.waiting.delete(id);
    if (error) reject?.(new Error(error.message));
    else resolve?.(result);
  }
  send(method, params = {}, sessionId) {
    if (this.failure) return Promise.reject(this.failure);
    const id = ++this.count;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${method}: no answer in ${patience / 1000} s`)), patience);
      const then = (f) => (value) => (clearTimeout(timer), f(value));
      this.waiting.set(id, {resolve: then(resolve), reject: then(reject)});
      this.process.stdio[3].write(`${JSON.stringify({id, method, params, sessionId})}\0`);
    });
  }
  async close() {
    await this.send("Browser.close").catch(() => {});
    await this.closed;
    rmSync(this.profile, {recursive: true, force: true, maxRetries: 5});
  }

  /** A new tab; what goes wrong in it is listed in `complaints`, what it loads in `requests`. */
  async tab() {
    const {targetId} = await this.send("Target.createTarget", {url: "about:blank"});
    const {sessionId} = await this.send("Target.attachToTarget", {targetId, flatten: true});
    const tab = new Tab(this, sessionId);
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await tab.send(`${domain}.enable`);
    return tab;
  }
}

const keys = {Tab: 9, Enter: 13, " ": 32, PageUp: 33, PageDown: 34, End: 35, Home: 36, ArrowLeft: 37, ArrowUp: 38,
              ArrowRight: 39, ArrowDown: 40};

class Tab {
  constructor(browser, session) {
    this.browser = browser;
    this.session = session;
    this.complaints = [];
    this.requests = [];
    browser.listeners.push((method, params, from) => from === session && this.hear(method, params));
  }
  send(method, params) { return this.browser.send(method, params, this.session); }
  hear(method, params) {
    if (method === "Runtime.exceptionThrown") this.complaints.push(JSON.stringify(params.exceptionDetails));
    if (method === "Runtime.consoleAPICalled") this.complaints.push(`console: ${JSON.stringify(params.args)}`);
    if (method === "Log.entryAdded") this.complaints.push(`${params.entry.level}: ${params.entry.text}`);
    if (method === "Network.requestWillBeSent") this.requests.push(params.request.url);
  }

  async open(url) {
    await this.send("Page.navigate", {url});
    await this.until("document.readyState === 'complete' && location.href !== 'about:blank'");
  }
  /** The value of an expression of the page. */
  async value(expression) {
    const {result, exceptionDetails} = await this.send("Runtime.evaluate", {expression, returnByValue: true, awaitPromise: true});
    if (exceptionDetails) throw new Error(`${expression}: ${exceptionDetails.exception?.description ?? exceptionDetails.text}`);
    return result.value;
  }
  /** The value of a function of this script, run in the page with these arguments. */
  call(f, ...args) { return this.value(`(${f})(...${JSON.stringify(args)})`); }
  /** Waits for an expression to be true. */
  async until(expression) {
    for (const end = Date.now() + patience; !(await this.value(expression));) {
      if (Date.now() > end) throw new Error(`not true in ${patience / 1000} s: ${expression}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Presses a key, with the events that a keyboard makes. */
  async press(key, {shift = false} = {}) {
    const code = {" ": "Space"}[key] ?? key, text = {" ": " ", Enter: "\r"}[key];
    const event = {key, code, windowsVirtualKeyCode: keys[key], modifiers: shift ? 8 : 0};
    await this.send("Input.dispatchKeyEvent", {type: text ? "keyDown" : "rawKeyDown", text, ...event});
    await this.send("Input.dispatchKeyEvent", {type: "keyUp", ...event});
  }
  /** Clicks in the middle of an element. */
  async click(selector) {
    const {x, y} = await this.call((wanted) => {
      const found = document.querySelector(wanted);
      found.scrollIntoView({block: "center"});
      const {left, top, width, height} = found.getBoundingClientRect();
      return {x: left + width / 2, y: top + height / 2};
    }, selector);
    for (const type of ["mousePressed", "mouseReleased"])
      await this.send("Input.dispatchMouseEvent", {type, x, y, button: "left", clickCount: 1});
  }

  /** The window's size in pixels, "light" or "dark", "screen" or "print". */
  async look({width, height = 900, scheme = "light", media = "screen"}) {
    await this.send("Emulation.setDeviceMetricsOverride", {width, height, deviceScaleFactor: 1, mobile: false});
    await this.send("Emulation.setEmulatedMedia", {media, features: [{name: "prefers-color-scheme", value: scheme}]});
    await this.value("new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)))");
  }
  /** The page's first `height` pixels as a PNG file. */
  async screenshot(path, height) {
    const {cssContentSize: {width, height: all}} = await this.send("Page.getLayoutMetrics");
    const clip = {x: 0, y: 0, width, height: Math.min(all, height), scale: 1};
    const {data} = await this.send("Page.captureScreenshot", {format: "png", clip, captureBeyondViewport: true});
    writeFileSync(path, Buffer.from(data, "base64"));
  }
}
