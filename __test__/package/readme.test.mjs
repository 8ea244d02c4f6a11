// The README is true: its programs run, and print what it says they print.

import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { blocksOf, compile, read } from './pages.mjs'
import { linkedFolder, output, root } from './program.mjs'

/** The text of the first block of a language. */
const block = language => blocksOf('README.md').find(one => one.language === language).text

test('it is short: a newcomer reads it to its end', () => {
  assert.ok(read('README.md').split('\n').length <= 160)
})

test('the first program passes the compiler, runs, and prints what is shown', t => {
  const folder = linkedFolder(t)
  const program = block('ts')
  assert.ok(program.trimEnd().split('\n').length <= 24, 'it fits on a screen')
  assert.match(program, /task\.failed/)
  writeFileSync(join(folder, 'poem.txt'), 'so much depends upon a wheelbarrow')
  writeFileSync(join(folder, 'program.mts'), program)
  compile(folder, 'program.mts')
  assert.equal(output(process.execPath, ['program.mjs'], { cwd: folder }), block('text'))
})

test('its types refuse data of another type', t => {
  const folder = linkedFolder(t)
  const wrong = block('ts').replace("file: 'poem.txt'", 'file: 7')
  assert.notEqual(wrong, block('ts'))
  writeFileSync(join(folder, 'wrong.mts'), wrong)
  assert.throws(() => compile(folder, 'wrong.mts'), /wrong\.mts.*TS2322/)
})

/**
 * What the demo prints with the figures of this run, this folder and this machine taken out; but
 * how many tasks were lost is no such figure.
 */
function withoutFigures(text) {
  return text
    .replaceAll(/(below ).*/g, '$1…')
    .replaceAll(/\b(?!0 lost)\d[\d,.]*/g, '#')
    .replaceAll(/( of #) {2}# tasks\/s/g, '$1')
    .replaceAll(/^ +# %/gm, '  # %')
}

test('the demo is killed, goes on and loses nothing, as is shown', () => {
  const demo = join(root, 'examples/demo/main.mjs')
  const real = output(process.execPath, [demo, join(root, 'docs'), '--crash'])
  const [command, ...shown] = block('console').trimEnd().split('\n')
  assert.equal(command, '$ npm run demo -- --crash')

  // Whether a run was under way when the process died, and which, differs from run to run.
  const isListOfReruns = line => /^ {2}(attempt|they were)/.test(line)
  const lines = withoutFigures(real).split('\n')
  let from = 0
  for (const line of withoutFigures(shown.filter(line => !isListOfReruns(line)).join('\n')).split(
    '\n',
  )) {
    if (line === '…') continue
    const at = lines.indexOf(line, from)
    assert.ok(at >= 0, `the demo does not print this line, or not there: ${line}\n${real}`)
    from = at + 1
  }
  const reruns = shown.filter(isListOfReruns)
  assert.equal(reruns.length, Number(/(\d+) ran twice/.exec(shown.join())[1]) + 1)
})
