// examples/progress-page in a real browser: Chromium, from the PATH or from CHROMIUM.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { chromium } from './browser/node_modules/playwright-core/index.mjs'

const program = fileURLToPath(new URL('../../examples/progress-page/main.mjs', import.meta.url))

/** Where the browser is. */
function browserPath() {
  const { CHROMIUM, PATH = '' } = process.env
  const places = PATH.split(delimiter).map(folder => join(folder, 'chromium'))
  const found = [CHROMIUM, ...places].find(place => place && isProgram(place))
  return found ?? assert.fail('install chromium, or say in CHROMIUM where it is')
}

function isProgram(place) {
  try {
    accessSync(place, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The server of the example on a file, and where it listens. */
async function serve(t, store, port = '0') {
  const stdio = ['ignore', 'pipe', 'inherit']
  const server = spawn(process.execPath, [program, store, port], { stdio })
  t.after(() => server.kill('SIGKILL'))
  const [url] = await once(createInterface({ input: server.stdout }), 'line')
  return { server, url }
}

/** The page of a server in a browser, and what its console said. */
async function visit(t, url) {
  const browser = await chromium.launch({ executablePath: browserPath(), args: ['--no-sandbox'] })
  t.after(() => browser.close())
  const page = await browser.newPage()
  page.setDefaultTimeout(300_000)
  const faults = []
  page.on('pageerror', error => faults.push(error.message))
  await page.goto(url)
  return { page, faults }
}

async function read(page, title) {
  await page.fill('input[name=title]', title)
  await page.click('button')
}

/** Waits until a book is shown like this. */
const shown = (page, text) => page.locator('li', { hasText: text }).first().waitFor()

const texts = async page => (await page.locator('li').allTextContents()).map(text => text.trim())

test('a browser shows tasks live, also after the server was killed', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'tasker-browser-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const store = join(folder, 'progress.db')
  const first = await serve(t, store)
  const { page, faults } = await visit(t, first.url)

  await read(page, 'Dune')
  await shown(page, 'Dune: running')
  const bar = page.locator('li progress[max="20"]')
  await bar.waitFor()
  await shown(page, 'Dune: done')
  assert.deepEqual(await texts(page), ['Dune: done'])
  assert.equal(await bar.evaluate(({ value, max }) => value / max), 1)

  await read(page, '<b>Emma</b>')
  await shown(page, '<b>Emma</b>: running')
  first.server.kill('SIGKILL')
  await once(first.server, 'exit')
  await serve(t, store, new URL(first.url).port)
  // Nobody loads the page again: its run is recovered, and the browser goes on where it was.
  await shown(page, '<b>Emma</b>: done')
  assert.deepEqual(await texts(page), ['<b>Emma</b>: done', 'Dune: done'])
  assert.deepEqual(faults, [])
})

test('a browser that knows another file begins anew', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'tasker-browser-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const first = await serve(t, join(folder, 'first.db'))
  const { page, faults } = await visit(t, first.url)
  await read(page, 'Dune')
  await shown(page, 'Dune: done')
  first.server.kill('SIGKILL')
  await once(first.server, 'exit')
  await serve(t, join(folder, 'second.db'), new URL(first.url).port)
  await page.locator('li').waitFor({ state: 'detached' })
  await read(page, 'Emma')
  await shown(page, 'Emma: done')
  assert.deepEqual(await texts(page), ['Emma: done'])
  assert.deepEqual(faults, [])
})
