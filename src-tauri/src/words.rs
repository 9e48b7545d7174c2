//! What tray and notifications say, in the languages of the pages. The pages tell which one is spoken; until they
//! have been open once, the environment does.

use serde::{Deserialize, Serialize};
use sublet_protocol::reason::RigState;

/// The languages that the pages speak, by their BCP 47 tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Language {
    #[serde(rename = "en")]
    English,
    #[serde(rename = "de")]
    German,
    #[serde(rename = "zh-Hans")]
    Chinese,
}

/// The language of this session; English where it is none of ours.
pub fn from_environment() -> Language {
    let wishes = ["LANGUAGE", "LC_ALL", "LC_MESSAGES", "LANG"];
    let set = wishes.iter().filter_map(|name| std::env::var(name).ok());
    wanted(set)
}

/// The first wish that says anything decides, as it does elsewhere in the session.
fn wanted(wishes: impl Iterator<Item = String>) -> Language {
    let first = wishes
        .map(|wish| wish.to_lowercase())
        .find(|wish| !wish.is_empty());
    match first.as_deref().and_then(|wish| wish.get(..2)) {
        Some("de") => Language::German,
        Some("zh") => Language::Chinese,
        _ => Language::English,
    }
}

/// The words of one language. `{}` stands for what a text is given.
#[derive(Debug)]
pub struct Words {
    pub cannot_start: &'static str,
    pub looking: &'static str,
    pub starting: &'static str,
    pub hangs: &'static str,
    pub ended: &'static str,
    pub refused: &'static str,
    pub talk: &'static str,
    pub today: &'static str,
    pub today_unknown: &'static str,
    pub pause_hour: &'static str,
    pub pause_tomorrow: &'static str,
    pub pause: &'static str,
    pub resume: &'static str,
    pub open: &'static str,
    pub quit: &'static str,
    pub quit_running: &'static str,
    pub quit_away: &'static str,
    pub paid: &'static str,
    pub paid_body: &'static str,
    pub reclaimed: &'static str,
    pub reclaimed_body: &'static str,
    pub hot: &'static str,
    pub hot_body: &'static str,
    pub needs_you: &'static str,
    pub needs_you_body: &'static str,
    pub goes_on: &'static str,
    pub no_tray: &'static str,
    states: [&'static str; 5],
    /// Whether the agent's own sentences are in this language.
    pub agents: bool,
}

impl Words {
    pub fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &ENGLISH,
            Language::German => &GERMAN,
            Language::Chinese => &CHINESE,
        }
    }

    /// A state in a word or two, as on the pages.
    pub fn state(&self, state: RigState) -> &'static str {
        self.states[match state {
            RigState::Yours => 0,
            RigState::Ready => 1,
            RigState::Renting => 2,
            RigState::Waiting => 3,
            RigState::NeedsYou => 4,
        }]
    }
}

/// Puts what is given into a text.
pub fn with(text: &str, given: &str) -> String {
    text.replacen("{}", given, 1)
}

static ENGLISH: Words = Words {
    cannot_start: "Sublet cannot start",
    looking: "Looking for the agent",
    starting: "The agent is being started",
    hangs: "The agent does not answer; its log says why",
    ended: "The agent ended: {}",
    refused: "The agent cannot be started: {}",
    talk: "The agent is away: {}",
    today: "{} earned today",
    today_unknown: "Nothing new is known of today",
    pause_hour: "Pause for 1 hour",
    pause_tomorrow: "Pause until tomorrow",
    pause: "Pause until I resume",
    resume: "Resume",
    open: "Open Sublet",
    quit: "Quit (renting goes on without this icon)",
    quit_running: "Quit (the job goes on; pause first to end it)",
    quit_away: "Quit",
    paid: "{} earned",
    paid_body: "The job {} is done.",
    reclaimed: "Your GPU is yours again",
    reclaimed_body: "The job had earned {}.",
    hot: "Too hot to rent",
    hot_body: "{} rests until it has cooled down.",
    needs_you: "Sublet needs you",
    needs_you_body: "Open Sublet to see what is to be done.",
    goes_on: "Sublet goes on",
    no_tray: "The window is closed, and this desktop shows no tray icon. Start Sublet again to see the window.",
    states: ["Yours", "Ready to rent", "Renting", "Waiting", "Needs you"],
    agents: true,
};

static GERMAN: Words = Words {
    cannot_start: "Sublet kann nicht starten",
    looking: "Der Agent wird gesucht",
    starting: "Der Agent wird gestartet",
    hangs: "Der Agent antwortet nicht; sein Protokoll sagt, warum",
    ended: "Der Agent ist beendet: {}",
    refused: "Der Agent lässt sich nicht starten: {}",
    talk: "Der Agent ist weg: {}",
    today: "Heute {} verdient",
    today_unknown: "Von heute ist nichts Neues bekannt",
    pause_hour: "1 Stunde pausieren",
    pause_tomorrow: "Bis morgen pausieren",
    pause: "Pausieren, bis ich fortsetze",
    resume: "Fortsetzen",
    open: "Sublet öffnen",
    quit: "Beenden (vermietet wird ohne dieses Symbol weiter)",
    quit_running: "Beenden (der Auftrag läuft weiter; Pause beendet ihn)",
    quit_away: "Beenden",
    paid: "{} verdient",
    paid_body: "Der Auftrag {} ist fertig.",
    reclaimed: "Deine GPU gehört wieder dir",
    reclaimed_body: "Der Auftrag hatte {} verdient.",
    hot: "Zu heiß zum Vermieten",
    hot_body: "{} ruht, bis sie abgekühlt ist.",
    needs_you: "Sublet braucht dich",
    needs_you_body: "Öffne Sublet und sieh nach, was zu tun ist.",
    goes_on: "Sublet läuft weiter",
    no_tray: "Das Fenster ist zu, und dieser Desktop zeigt kein Symbol. Starte Sublet noch einmal, um das Fenster zu sehen.",
    states: [
        "Gehört dir",
        "Bereit",
        "Vermietet",
        "Wartet",
        "Braucht dich",
    ],
    agents: false,
};

static CHINESE: Words = Words {
    cannot_start: "Sublet 无法启动",
    looking: "正在寻找代理程序",
    starting: "正在启动代理程序",
    hangs: "代理程序没有答复；原因见它的日志",
    ended: "代理程序已结束：{}",
    refused: "代理程序无法启动：{}",
    talk: "代理程序不在：{}",
    today: "今天赚了 {}",
    today_unknown: "今天没有新消息",
    pause_hour: "暂停 1 小时",
    pause_tomorrow: "暂停到明天",
    pause: "暂停，直到我恢复",
    resume: "恢复",
    open: "打开 Sublet",
    quit: "退出（没有图标也会继续出租）",
    quit_running: "退出（任务会继续；要结束它请先暂停）",
    quit_away: "退出",
    paid: "赚了 {}",
    paid_body: "任务 {} 已完成。",
    reclaimed: "GPU 又归你了",
    reclaimed_body: "这个任务赚了 {}。",
    hot: "太热，不能出租",
    hot_body: "{} 会休息到冷却下来。",
    needs_you: "Sublet 需要你",
    needs_you_body: "打开 Sublet，看看需要做什么。",
    goes_on: "Sublet 仍在运行",
    no_tray: "窗口已关闭，而这个桌面不显示托盘图标。再次启动 Sublet 就能看到窗口。",
    states: ["归你使用", "可以出租", "出租中", "等待中", "需要你"],
    agents: false,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_decides_the_language() {
        let of = |wishes: &[&str]| wanted(wishes.iter().map(|wish| (*wish).to_owned()));
        assert_eq!(of(&["", "de_AT.UTF-8"]), Language::German);
        assert_eq!(of(&["zh_CN"]), Language::Chinese);
        assert_eq!(of(&["fr_FR", "de_DE"]), Language::English);
        assert_eq!(of(&["C"]), Language::English);
        assert_eq!(of(&[]), Language::English);
    }

    #[test]
    fn texts_of_all_languages_take_the_same() {
        // Every text with its places, by the name that Debug gives it.
        let places = |words: &Words| {
            let text = format!("{words:#?}");
            let lines = text.lines().filter(|line| line.contains("{}"));
            let names = lines.map(|line| line.split(':').next().unwrap_or_default().to_owned());
            names.collect::<Vec<_>>()
        };
        assert_eq!(places(&ENGLISH).len(), 8);
        assert_eq!(places(&ENGLISH), places(&GERMAN));
        assert_eq!(places(&ENGLISH), places(&CHINESE));
    }
}
