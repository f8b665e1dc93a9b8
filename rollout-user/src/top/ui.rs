//! What the keys do: focus, scrolling, order, the text filter, help, pause. In: keys. Out: how a view is to be drawn. Pure.

/// A key, whatever the terminal calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Key {
    /// A character.
    Char(char),
    /// Ctrl-C.
    Interrupt,
    /// Arrow up.
    Up,
    /// Arrow down.
    Down,
    /// A screenful up.
    PageUp,
    /// A screenful down.
    PageDown,
    /// To the first row.
    Home,
    /// To the last row.
    End,
    /// The next panel.
    Tab,
    /// The panel before.
    BackTab,
    /// Ends typing.
    Enter,
    /// Leaves what is open.
    Escape,
    /// Takes a character back.
    Backspace,
}

/// The panels, from top to bottom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Panel {
    /// Updates in progress.
    Updates,
    /// Pods.
    Pods,
    /// Backends of Services.
    Backends,
    /// Last events.
    Events,
    /// Losses and blind spots.
    Losses,
}

/// All panels, from top to bottom.
pub const PANELS: [Panel; 5] =
    [Panel::Updates, Panel::Pods, Panel::Backends, Panel::Events, Panel::Losses];

/// In which order pods and backends stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Most failures and slow connects in the last minute first, then what is dialled at all.
    #[default]
    Failures,
    /// Most SYNs in a second first.
    Rate,
    /// By name.
    Name,
}

/// What a key led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Go on.
    Stay,
    /// End.
    Quit,
}

/// Rows that a page key moves.
const PAGE: usize = 10;
/// The longest text that can be filtered by.
const TEXT: usize = 60;

/// How the view is looked at.
#[derive(Debug, Clone)]
pub struct Ui {
    /// The panel that scrolls.
    pub focus: Panel,
    /// First row of each panel; drawing cuts it to what there is.
    pub scroll: [usize; PANELS.len()],
    /// Order of pods and backends.
    pub order: Order,
    /// Rows must contain this, whatever the case; empty: all.
    pub text: String,
    /// Keys go to the text.
    pub typing: bool,
    /// The help is open.
    pub help: bool,
    /// The display stands still.
    pub paused: bool,
}

impl Default for Ui {
    fn default() -> Ui {
        Ui {
            focus: Panel::Pods,
            scroll: [0; PANELS.len()],
            order: Order::default(),
            text: String::new(),
            typing: false,
            help: false,
            paused: false,
        }
    }
}

impl Ui {
    /// Takes a key.
    pub fn press(&mut self, key: Key) -> Outcome {
        match key {
            Key::Interrupt => return Outcome::Quit,
            key if self.typing => self.type_in(key),
            _ if self.help => self.help = false,
            Key::Char('q') => return Outcome::Quit,
            Key::Char('p' | ' ') => self.paused = !self.paused,
            Key::Char('s') => self.order = self.order.next(),
            Key::Char('/') => self.typing = true,
            Key::Char('?' | 'h') => self.help = true,
            Key::Escape => self.text.clear(),
            Key::Tab => self.focus = self.neighbour(1),
            Key::BackTab => self.focus = self.neighbour(PANELS.len() - 1),
            key => self.move_by(key),
        }
        Outcome::Stay
    }

    /// Whether a row with this text passes.
    pub fn passes(&self, row: &str) -> bool {
        self.text.is_empty() || row.to_lowercase().contains(&self.text.to_lowercase())
    }

    /// First row of a panel.
    pub fn first_row(&mut self, panel: Panel) -> &mut usize {
        let index = PANELS.iter().position(|one| *one == panel).unwrap_or(0);
        // The index is that of a panel, of which there are as many as places.
        &mut self.scroll[index.min(PANELS.len() - 1)]
    }

    fn neighbour(&self, steps: usize) -> Panel {
        let at = PANELS.iter().position(|panel| *panel == self.focus).unwrap_or(0);
        PANELS.get((at + steps) % PANELS.len()).copied().unwrap_or(Panel::Pods)
    }

    fn move_by(&mut self, key: Key) {
        let row = self.first_row(self.focus);
        *row = match key {
            Key::Up | Key::Char('k') => row.saturating_sub(1),
            Key::Down | Key::Char('j') => row.saturating_add(1),
            Key::PageUp => row.saturating_sub(PAGE),
            Key::PageDown => row.saturating_add(PAGE),
            Key::Home => 0,
            Key::End => usize::MAX,
            _ => *row,
        };
    }

    fn type_in(&mut self, key: Key) {
        match key {
            Key::Enter => self.typing = false,
            Key::Escape => {
                self.typing = false;
                self.text.clear();
            }
            Key::Backspace => {
                self.text.pop();
            }
            Key::Char(c) if self.text.chars().count() < TEXT && !c.is_control() => {
                self.text.push(c)
            }
            _ => {}
        }
    }
}

impl Order {
    /// How the order is called.
    pub fn name(self) -> &'static str {
        match self {
            Order::Name => "name",
            Order::Rate => "SYN/s",
            Order::Failures => "failures",
        }
    }

    fn next(self) -> Order {
        match self {
            Order::Failures => Order::Rate,
            Order::Rate => Order::Name,
            Order::Name => Order::Failures,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(keys: &[Key]) -> Ui {
        let mut ui = Ui::default();
        for key in keys {
            assert_eq!(ui.press(*key), Outcome::Stay);
        }
        ui
    }

    #[test]
    fn q_and_ctrl_c_end_it_but_q_can_be_typed() {
        assert_eq!(Ui::default().press(Key::Char('q')), Outcome::Quit);
        let mut ui = after(&[Key::Char('/'), Key::Char('q')]);
        assert_eq!(ui.text, "q");
        assert_eq!(ui.press(Key::Interrupt), Outcome::Quit);
    }

    #[test]
    fn tab_goes_round_and_back() {
        let round = after(&[Key::Tab; PANELS.len()]);
        assert_eq!(round.focus, Ui::default().focus);
        assert_eq!(after(&[Key::Tab]).focus, Panel::Backends);
        assert_eq!(after(&[Key::BackTab]).focus, Panel::Updates);
    }

    #[test]
    fn each_panel_scrolls_for_itself() {
        let mut ui = after(&[Key::Down, Key::Down, Key::Up, Key::Tab, Key::PageDown, Key::Up]);
        assert_eq!((*ui.first_row(Panel::Pods), *ui.first_row(Panel::Backends)), (1, 9));
        let mut ui = after(&[Key::End, Key::Down, Key::Home, Key::Up]);
        assert_eq!(*ui.first_row(Panel::Pods), 0);
    }

    #[test]
    fn text_is_typed_kept_and_thrown_away() {
        let typed = [Key::Char('/'), Key::Char('W'), Key::Char('x'), Key::Backspace, Key::Enter];
        let ui = after(&typed);
        assert!(ui.passes("shop/web-1") && !ui.passes("shop/api") && !ui.typing);
        assert!(after(&[&typed[..], &[Key::Escape]].concat()).text.is_empty());
        let long: Vec<Key> = [Key::Char('/')].into_iter().chain([Key::Char('a'); 99]).collect();
        assert_eq!(after(&long).text.len(), TEXT);
    }

    #[test]
    fn any_key_leaves_the_help() {
        assert!(after(&[Key::Char('?')]).help);
        assert!(!after(&[Key::Char('?'), Key::Char('p')]).help);
        assert!(!after(&[Key::Char('?'), Key::Char('p')]).paused);
    }
}
