//! Plots of a check as SVG: its offset, its round trips, and what it was when.
//!
//! Everything here is pure: points of the history go in, and the same points give the same bytes. Where nothing is
//! proven there is a gap, and never a line through it. Nothing is told by color alone. The colors are in [`STYLE`], which the
//! page or the document has to contain.

mod course;
mod frame;
mod offset;
mod round_trips;
mod spark;
mod ticks;
mod time_axis;
mod times;

use maud::{Markup, PreEscaped, html};

use frame::{Frame, px};

pub use offset::offset;
pub use round_trips::{HIGH_QUANTILE, round_trips};
pub(crate) use spark::sparkline;
pub use times::times;

/// The colors: light, dark and in print.
pub const STYLE: &str = include_str!("plot/style.css");

/// For which width a plot is drawn. Its texts are not readable when it is shown much smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// For a screen, or a sheet of paper.
    Wide,
    /// For a phone.
    Narrow,
}

/// A plot, in user units of SVG.
#[derive(Debug, Clone)]
pub struct Plot {
    title: &'static str,
    description: String,
    frame: Frame,
    body: Markup,
}

/// The room of the title above a plot of a document.
const TITLE_HEIGHT: f64 = 22.0;
/// The room of the name of a check.
const HEADING_HEIGHT: f64 = 34.0;
/// The room between two plots.
const SPACE: f64 = 14.0;

impl Plot {
    /// What it shows, in a few words.
    #[must_use]
    pub fn title(&self) -> &'static str {
        self.title
    }

    /// What it shows, for people who do not see it.
    #[must_use]
    pub fn description(&self) -> &str {
        &self.description
    }

    /// As an element of a page. The id has to be unique in it. Its `data-` attributes tell a script which instant is where.
    #[must_use]
    pub fn inline(&self, id: &str, class: &str) -> Markup {
        let (width, height) = self.frame.extent();
        let view = format!("0 0 {} {}", px(width), px(height));
        let (from, to) = (self.frame.from.as_second(), self.frame.to.as_second());
        html! {
            svg class={ "plot " (class) } viewBox=(view) role="img" aria-labelledby={ (id) "-title" } aria-describedby={ (id) "-text" }
                data-left=(px(self.frame.left)) data-right=(px(self.frame.right)) data-from=(from) data-to=(to) {
                (self.content(id))
            }
        }
    }

    fn content(&self, id: &str) -> Markup {
        html! {
            title id={ (id) "-title" } { (self.title) }
            desc id={ (id) "-text" } { (self.description) }
            (self.body)
        }
    }
}

/// Plots below each other as a file of their own, each group with its heading.
#[must_use]
pub fn document(title: &str, groups: &[(String, Vec<Plot>)]) -> String {
    let width =
        groups.iter().flat_map(|(_, plots)| plots).map(|plot| plot.frame.extent().0).fold(320.0, f64::max);
    let mut y = SPACE;
    let mut body = html! {};
    for (nth, (heading, plots)) in groups.iter().enumerate() {
        body.0.push_str(&html! { text.heading x="12" y=(px(y + 16.0)) { (heading) } }.0);
        y += HEADING_HEIGHT;
        for (mth, plot) in plots.iter().enumerate() {
            let id = format!("plot-{nth}-{mth}");
            let (width, height) = plot.frame.extent();
            let part = html! {
                text.title x="12" y=(px(y + 12.0)) { (plot.title) }
                svg x="0" y=(px(y + TITLE_HEIGHT)) width=(px(width)) height=(px(height)) role="img"
                    aria-labelledby={ (id) "-title" } aria-describedby={ (id) "-text" } { (plot.content(&id)) }
            };
            body.0.push_str(&part.0);
            y += TITLE_HEIGHT + height + SPACE;
        }
    }
    let (width, height) = (px(width), px(y));
    let document = html! {
        svg.plot.alone xmlns="http://www.w3.org/2000/svg" width=(width) height=(height) viewBox={ "0 0 " (width) " " (height) } {
            title { (title) }
            style { (PreEscaped(STYLE)) }
            rect.paper width="100%" height="100%" {}
            (body)
        }
    };
    document.into_string() + "\n"
}

#[cfg(test)]
mod tests;
