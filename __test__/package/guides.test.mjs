// The guides are true: their programs pass the compiler, run, and print what is shown; their links
// lead somewhere.
//
// The words after a block's language say what it is:
// - `js run`, `ts run`: a program; if a `text` block follows next, that is all it prints
// - `js file=name.mjs`: a file of the page, for the transcripts below it
// - `console`: a transcript; lines with `$ node …` are run in the folder of the page's files
// A program that is none of these would be a claim that nobody checks.

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { linkedFolder, output, root, tsc } from './program.mjs'

const guide = 'docs/guide'
const read = path => readFileSync(join(root, path), 'utf8')
const pages = readdirSync(join(root, guide)).filter(name => name.endsWith('.md'))

/** The blocks of a page, in order. */
function blocksOf(page) {
  const found = read(`${guide}/${page}`).matchAll(/^```(\w+)([^\n]*)\n(.*?)^```$/gms)
  return [...found].map(([, language, words, text]) => ({ language, words: words.trim(), text }))
}

const isProgram = ({ language }) => ['js', 'ts'].includes(language)
const fileName = ({ words }) => /^file=([\w.-]+)$/.exec(words)?.[1]
const isRun = block => isProgram(block) && block.words === 'run'

/** What a block that is run must print, if the page says so. */
const printed = (blocks, block) => {
  const next = blocks[blocks.indexOf(block) + 1]
  return next?.language === 'text' ? next.text : undefined
}

/** Runs the commands of a transcript and writes down what a terminal would show. */
function replay(transcript, folder) {
  const commands = transcript.split('\n').filter(line => line.startsWith('$ '))
  const shown = commands.map(command => {
    const [, program, ...args] = command.split(' ')
    assert.equal(program, 'node')
    const options = { cwd: folder, encoding: 'utf8', timeout: 60_000 }
    const { stdout, stderr, status, signal } = spawnSync(process.execPath, args, options)
    if (signal === 'SIGKILL') return `${command}\n${stdout}Killed\n`
    assert.equal(status, 0, `${command}\n${stdout}${stderr}${signal ?? ''}`)
    return `${command}\n${stdout}`
  })
  return shown.join('')
}

for (const page of pages) {
  const blocks = blocksOf(page)

  for (const block of blocks.filter(isRun)) {
    const [first] = block.text.split('\n').filter(line => /Runner|addTasks?\(/.test(line))
    test(`${page}: a ${block.language} program runs and prints what is shown: ${first}`, t => {
      const folder = linkedFolder(t)
      const name = block.language === 'ts' ? 'program.mts' : 'program.mjs'
      writeFileSync(join(folder, name), block.text)
      if (block.language === 'ts') compile(folder, name)
      const stdout = output(process.execPath, ['program.mjs'], { cwd: folder })
      assert.equal(stdout, printed(blocks, block) ?? stdout)
    })
  }

  if (blocks.some(fileName)) {
    test(`${page}: its files do together what the transcripts show`, t => {
      const folder = linkedFolder(t)
      for (const block of blocks) {
        if (fileName(block)) writeFileSync(join(folder, fileName(block)), block.text)
        if (block.language === 'console') assert.equal(replay(block.text, folder), block.text)
      }
    })
  }

  test(`${page}: its links lead to a file and a heading`, () => {
    assert.deepEqual(deadLinks(`${guide}/${page}`), [])
  })
}

test('README.md: its links lead to a file and a heading', () => {
  assert.deepEqual(deadLinks('README.md'), [])
})

test('no program in the guides goes unchecked', () => {
  for (const page of pages) {
    const loose = blocksOf(page).filter(one => isProgram(one) && !isRun(one) && !fileName(one))
    assert.deepEqual(loose, [], page)
  }
})

function compile(folder, name) {
  const strict = ['--strict', '--skipLibCheck', '--module', 'nodenext', '--target', 'es2022']
  tsc([...strict, '--types', 'node', name], folder)
}

/** The links of a page that lead nowhere. */
function deadLinks(page) {
  const text = read(page).replaceAll(/^```.*?^```$/gms, '')
  const links = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, link]) => link)
  return links.filter(link => !/^(https?|mailto):/.test(link) && !leads(page, link))
}

function leads(page, link) {
  const [path, anchor] = link.split('#')
  const target = path === '' ? page : join(dirname(page), path)
  if (!existsSync(join(root, target))) return false
  return anchor === undefined || anchors(target).includes(anchor)
}

/** The headings of a page as they are named in links. */
function anchors(page) {
  const headings = [...read(page).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading)
  const plain = heading => heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
  return headings.map(heading => plain(heading).replaceAll(' ', '-'))
}
