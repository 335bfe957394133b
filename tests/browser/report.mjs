// The report of a run in the browser.
//   node report.mjs CHROMIUM SEMINAR FIXTURE SCREENSHOTS
import assert from "node:assert/strict";
import {execFileSync} from "node:child_process";
import {mkdirSync, statSync} from "node:fs";
import {pathToFileURL} from "node:url";
import {checkKeyboard, checkLooks, checkQuiet} from "./checks.mjs";
import {Chromium} from "./chromium.mjs";

const [chromium, seminar, fixture, screenshots] = process.argv.slice(2);
const page = `${fixture}/report.html`, url = pathToFileURL(page).href;
mkdirSync(screenshots, {recursive: true});
execFileSync(seminar, ["report", `${fixture}/run`, "--out", page], {stdio: ["ignore", "ignore", "inherit"]});
assert.ok(statSync(page).size < 2e6);

const browser = new Chromium(chromium);
try {
  const tab = await browser.tab();
  await tab.open(url);
  assert.equal(await tab.value("document.querySelectorAll('main h2').length"), await tab.value("document.querySelectorAll('nav a').length"));
  assert.ok(await tab.value("document.body.textContent.includes('</script><b>Bold</b>')"), "titles are shown as they are");
  assert.equal(await tab.value("document.querySelectorAll('b').length"), 0);
  await checkLooks(tab, screenshots, "report");
  await checkKeyboard(tab);
  await tab.click("summary");
  assert.ok(await tab.value("document.querySelector('details').open"), "details open");
  checkQuiet(tab, url);
  console.log(`report: ${statSync(page).size} bytes, as it should be`);
} finally {
  await browser.close();
}
