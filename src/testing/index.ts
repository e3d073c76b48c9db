export { issueSession, type IssueOptions } from './issue-session.ts'
export { readSession, type HeldBy } from './read-session.ts'
export { sessionStoreContract, type StoreContractCase, type StoreContractOptions } from './store-contract.ts'
