// What a bundler may do with tasker: leave it external. What it says when it was inlined.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { folder, runs, work } from './installed.mjs'
import { root, tool } from './program.mjs'

/** Bundles a program with esbuild and gives the text of the bundle. */
function bundles(entry, bundle, ...options) {
  const args = [entry, '--bundle', '--platform=node', `--outfile=${bundle}`, '--log-level=warning']
  tool('esbuild/bin/esbuild', [...args, ...options], folder)
  return readFileSync(join(folder, bundle), 'utf8')
}

const script = `async function main() {${work}\n}
main().catch(error => console.log(error.code, error.message))
`
writeFileSync(join(folder, 'esm.mjs'), `import { Tasker } from 'tasker'\n${script}`)
writeFileSync(join(folder, 'cjs.cjs'), `const { Tasker } = require('tasker')\n${script}`)

test('a bundle that leaves tasker external works, as a module and as a script', () => {
  const external = ['--external:tasker']
  const text = bundles('esm.mjs', 'external.mjs', '--format=esm', ...external)
  assert.doesNotMatch(text, /TASKER_NATIVE/, 'tasker is not in the bundle')
  assert.equal(runs('external.mjs'), '42\n')
  bundles('cjs.cjs', 'external.cjs', '--format=cjs', ...external)
  assert.equal(runs('external.cjs'), '42\n')
})

test('a bundle with tasker inlined says that tasker is to be external', () => {
  for (const entry of ['esm.mjs', 'cjs.cjs']) {
    const text = bundles(entry, 'inlined.cjs', '--format=cjs')
    assert.match(text, /TASKER_NATIVE/, 'tasker is in the bundle')
    const told = runs('inlined.cjs')
    assert.match(told, /^TASKER_NATIVE_MISSING /)
    assert.match(told, /tell the bundler that `tasker` is external/)
  }
})

test('a bundle in ESM format with tasker inlined fails as the guide says', () => {
  bundles('esm.mjs', 'inlined.mjs', '--format=esm')
  // Of which module is the first depends on the order of imports.
  const message = /Dynamic require of "node:\w+" is not supported/
  assert.throws(() => runs('inlined.mjs'), message)
  const guide = readFileSync(join(root, 'docs/guide/installing.md'), 'utf8')
  assert.ok(guide.includes('`Dynamic require of "node:…" is not supported`'))
})
