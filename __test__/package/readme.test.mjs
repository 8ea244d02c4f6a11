// The README is true: its programs run, and print what it says they print.

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import { linkedFolder, output, root, tsc } from './program.mjs'

const readme = readFileSync(join(root, 'README.md'), 'utf8')

/** The blocks of one language, in order. */
function blocks(language) {
  const found = readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))
  return [...found].map(([, text]) => text)
}

test('the first program runs as it is shown and prints what is shown', t => {
  const folder = linkedFolder(t)
  const [program] = blocks('js')
  const [printed] = blocks('text')
  assert.ok(program.trimEnd().split('\n').length <= 20, 'it has twenty lines')
  writeFileSync(join(folder, 'program.mjs'), program)
  assert.equal(output(process.execPath, ['program.mjs'], { cwd: folder }), printed)
})

test('the typed program passes the compiler, runs, and is refused with a wrong type', t => {
  const folder = linkedFolder(t)
  const [program] = blocks('ts')
  const wrong = program.replace("book: 'dune'", 'book: 7')
  assert.notEqual(wrong, program)
  writeFileSync(join(folder, 'typed.mts'), program)
  writeFileSync(join(folder, 'wrong.mts'), wrong)
  const strict = ['--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2022']
  const compile = () => tsc([...strict, '--types', 'node', 'typed.mts', 'wrong.mts'], folder)
  assert.throws(
    compile,
    ({ message }) => /wrong.mts.*TS2322/.test(message) && !/typed.mts\(/.test(message),
  )
  assert.equal(output(process.execPath, ['typed.mjs'], { cwd: folder }), '400\n')
})
