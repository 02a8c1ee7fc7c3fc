// A tree view of the Debug side bar over an outline of the moment: nodes with stable ids, what changed since the stop
// before in words and by another icon. Refreshed at stops, and only while it can be seen.
import * as vscode from 'vscode';
import { changeText, descriptionOf, type MarkedNode, marked } from '../protocol/difference';
import type { Icon, OutlineNode } from '../protocol/outline';
import type { Snapshot } from '../protocol/snapshot';
import type { Moment, Moments } from './moments';

const icons: Readonly<Record<Icon, string>> = {
  process: 'server-process',
  mapping: 'symbol-array',
  table: 'list-tree',
  entry: 'symbol-field',
  cpu: 'chip',
  object: 'package',
  part: 'symbol-property',
  fence: 'milestone',
  fault: 'zap',
  on: 'arrow-small-down',
  stops: 'error',
  grants: 'pass',
};
const changeIcons = {
  changed: ['diff-modified', 'gitDecoration.modifiedResourceForeground'],
  added: ['diff-added', 'gitDecoration.addedResourceForeground'],
  removed: ['diff-removed', 'gitDecoration.deletedResourceForeground'],
} as const;

export class OutlineView implements vscode.TreeDataProvider<MarkedNode>, vscode.Disposable {
  private shown: Moment | undefined;
  private roots: readonly MarkedNode[] = [];
  private readonly parents = new Map<MarkedNode, MarkedNode>();
  private readonly refreshed = new vscode.EventEmitter<void>();
  readonly onDidChangeTreeData = this.refreshed.event;
  private readonly view: vscode.TreeView<MarkedNode>;
  private readonly subscriptions: readonly vscode.Disposable[];

  constructor(
    id: string,
    private readonly moments: Moments,
    private readonly outline: (snapshot: Snapshot) => readonly OutlineNode[],
  ) {
    this.view = vscode.window.createTreeView(id, { treeDataProvider: this });
    moments.addLooker(() => this.view.visible);
    this.subscriptions = [
      this.view,
      this.refreshed,
      moments.onDidChange(() => this.update()),
      this.view.onDidChangeVisibility(() => {
        moments.look();
        this.update();
      }),
    ];
  }

  dispose(): void {
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  getChildren(node?: MarkedNode): MarkedNode[] {
    return [...(node === undefined ? this.roots : node.children)];
  }

  getParent(node: MarkedNode): MarkedNode | undefined {
    return this.parents.get(node);
  }

  getTreeItem(node: MarkedNode): vscode.TreeItem {
    const { Collapsed, Expanded, None } = vscode.TreeItemCollapsibleState;
    const state = node.children.length === 0 ? None : node.open ? Expanded : Collapsed;
    const item = new vscode.TreeItem(node.label, state);
    const description = descriptionOf(node);
    const changed = node.change === 'changed' ? [changeText(node)] : [];
    const said = node.change === 'same' ? [node.spoken] : [node.spoken, node.change, ...changed];
    // VS Code keeps a node folded that once had no children; with another id it begins as we say.
    item.id = node.children.length === 0 ? `${node.id} (empty)` : node.id;
    item.description = description;
    item.tooltip = said.join('\n');
    item.iconPath = iconOf(node);
    item.accessibilityInformation = { label: said.join(', ') };
    if (node.object !== undefined) item.contextValue = 'coherence.object';
    if (node.text !== undefined) item.contextValue = 'coherence.text';
    return item;
  }

  private update(): void {
    const moment = this.moments.current;
    if (!this.view.visible || moment === this.shown) return;
    this.shown = moment;
    this.roots =
      moment === undefined
        ? []
        : marked(moment.before && this.outline(moment.before), this.outline(moment.now));
    this.parents.clear();
    for (const root of this.roots) this.addParents(root);
    this.view.description = moment === undefined ? '' : `step ${moment.now.time}`;
    this.refreshed.fire();
  }

  private addParents(node: MarkedNode): void {
    for (const child of node.children) {
      this.parents.set(child, node);
      this.addParents(child);
    }
  }
}

function iconOf({ change, icon }: MarkedNode): vscode.ThemeIcon {
  if (change === 'same') return new vscode.ThemeIcon(icons[icon]);
  const [name, colour] = changeIcons[change];
  return new vscode.ThemeIcon(name, new vscode.ThemeColor(colour));
}
