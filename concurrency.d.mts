export * from './concurrency.js'
