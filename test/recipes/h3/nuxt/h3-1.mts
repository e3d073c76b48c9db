export * from 'h3-1'
