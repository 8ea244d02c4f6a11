// The reference names what index.d.ts declares: no option, method or event is missing, and none is
// there that does not exist.

import assert from 'node:assert/strict'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import ts from 'typescript'
import { pagesBelow, read } from './pages.mjs'
import { root } from './program.mjs'

const entries = ['index.d.ts', 'testing.d.ts'].map(name => join(root, name))
const program = ts.createProgram(entries, { skipLibCheck: true })
const checker = program.getTypeChecker()
const exported = entries.flatMap(name => {
  const source = program.getSourceFile(name)
  return checker.getExportsOfModule(checker.getSymbolAtLocation(source))
})

/** What the package exports under a name, wherever it is declared. */
function symbolOf(name) {
  const found = exported.find(one => one.name === name)
  const isAlias = (found.flags & ts.SymbolFlags.Alias) !== 0
  return isAlias ? checker.getAliasedSymbol(found) : found
}

/** The members that an interface or class of the package declares itself. */
function membersOf(name) {
  return [...(symbolOf(name).members ?? [])].map(([, member]) => member).filter(isMember)
}

const isMember = ({ flags }) =>
  (flags & (ts.SymbolFlags.Property | ts.SymbolFlags.Method | ts.SymbolFlags.GetAccessor)) !== 0

const namesOf = type => membersOf(type).map(({ name }) => name)

/** The text between a heading and the next one. */
function section(page, heading) {
  const text = read(`docs/reference/${page}`)
  const [, after] = text.split(`\n## ${heading}\n`)
  return (after ?? text).split('\n## ')[0]
}

/** What stands in backticks at the front of the rows of a table. */
function firstCells(text) {
  const rows = [...text.matchAll(/^\| (`.*?) \|/gm)].map(([, cell]) => cell)
  return rows.flatMap(cell => [...cell.matchAll(/`([^`]+)`/g)].map(([, words]) => words))
}

test('options.md has each option of the tasker with its default', () => {
  const text = section('options.md', '`new Tasker(options)`')
  assert.deepEqual(firstCells(text).sort(), namesOf('TaskerOptions').sort())
  for (const member of membersOf('TaskerOptions')) {
    const tag = member.getJsDocTags(checker).find(({ name }) => name === 'default')
    const value = tag && ts.displayPartsToString(tag.text)
    if (value) assert.ok(text.includes(`| \`${member.name}\` | \`${value}\` |`), member.name)
  }
})

test('options.md has each option of a test with its default', () => {
  const text = section('options.md', '`openTest(options)`')
  assert.deepEqual(firstCells(text).sort(), namesOf('TestOptions').sort())
  for (const member of membersOf('TestOptions')) {
    const tag = member.getJsDocTags(checker).find(({ name }) => name === 'default')
    const value = tag && ts.displayPartsToString(tag.text)
    if (value) assert.ok(text.includes(`| \`${member.name}\` | \`${value}\` |`), member.name)
  }
})

test('methods.md has each member of a test', () => {
  const text = section('methods.md', 'In tests')
  for (const name of namesOf('TaskerTest').filter(name => !name.startsWith('__'))) {
    assert.ok(text.includes(`\`${name}`), name)
  }
  for (const name of namesOf('TestClock')) assert.ok(text.includes(`\`clock.${name}(`), name)
})

test('options.md has each field of a task to add', () => {
  const fields = firstCells(section('options.md', '`addTask(task)`'))
  assert.deepEqual(fields.sort(), [...namesOf('TaskDefinitionBase'), 'data'].sort())
})

test('options.md has each option of an operation', () => {
  const options = firstCells(section('options.md', 'Options of an operation'))
  const known = [...namesOf('OperationOptions'), ...namesOf('ModuleOptions')]
  assert.deepEqual(options.sort(), [...known, 'batch'].sort())
})

test('options.md has each option of the other calls', () => {
  const text = section('options.md', 'Options of other calls')
  const types = ['StopOptions', 'LogOptions', 'CallOptions', 'OutboxOptions', 'NextTimesOptions']
  for (const type of [...types, 'FindTaskOptions', 'FindTasksOptions', 'FieldsOption']) {
    for (const name of namesOf(type)) assert.ok(text.includes(`\`${name}\``), `${type}.${name}`)
  }
})

test('methods.md has each method of the class', () => {
  const calls = firstCells(read('docs/reference/methods.md'))
  const named = new Set(calls.map(call => call.split('(')[0]))
  const emitter = /^(on|once|off|emit|prepend.*|add.*Listener|remove.*Listeners?)$/
  const methods = namesOf('Tasker').filter(name => !emitter.test(name) && !name.startsWith('__'))
  assert.deepEqual([...named].filter(name => !name.startsWith('[')).sort(), methods.sort())
})

test('events.md has each event', () => {
  const events = firstCells(read('docs/reference/events.md'))
  assert.deepEqual(events.sort(), namesOf('TaskerEvents').sort())
})

test('runners.md has each field of the context', () => {
  const text = read('docs/guide/runners.md')
  for (const name of namesOf('RunnerContext')) assert.ok(text.includes(`\`${name}\``), name)
})

/** The words of a type that is one of several texts. */
function wordsOf(name) {
  return checker.getDeclaredTypeOfSymbol(symbolOf(name)).types.map(({ value }) => value)
}

test('errors.md has each cause of an end, and each of a signal', () => {
  const text = section('errors.md', 'Why a task ended')
  assert.deepEqual(firstCells(text).sort(), wordsOf('EndCause').sort())
  for (const cause of wordsOf('AbortCause')) assert.ok(text.includes(`\`${cause}\``), cause)
})

test('each warning and each variable of the environment is in the reference', () => {
  const pages = pagesBelow('docs/reference').map(read).join('')
  const names = readdirSync(join(root, 'ts')).flatMap(file => [
    ...read(`ts/${file}`).matchAll(/\bTASKER_[A-Z_]+/g),
  ])
  assert.ok(names.length > 0)
  for (const [name] of names) assert.ok(pages.includes(`\`${name}`), name)
})
