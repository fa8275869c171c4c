;;; lsp-mode.el --- with lsp-mode  -*- lexical-binding: t -*-

(unless (require 'lsp-mode nil t)
  (say "without" "lsp-mode")
  (kill-emacs))
(require 'lsp-diagnostics)
(setq lsp-auto-guess-root t lsp-warn-no-matched-clients nil lsp-enable-file-watchers nil lsp-keep-workspace-alive t
      lsp-restart 'ignore lsp-session-file (expand-file-name "lsp-session")
      lsp-headerline-breadcrumb-enable nil lsp-modeline-diagnostics-enable nil lsp-modeline-code-actions-enable nil
      lsp-enable-symbol-highlighting nil lsp-enable-suggest-server-download nil)
(load (getenv "RECIPE") nil t)

(defun client-ready-p ()
  (and lsp-mode (lsp-workspaces)
       (cl-every (lambda (one) (eq 'initialized (lsp--workspace-status one))) (lsp-workspaces))))

(defun client-tell-changes () (lsp--flush-delayed-changes))

(defun client-diagnostics ()
  (mapcar (lambda (one)
            (let ((range (lsp--range-to-region (gethash "range" one))))
              (list (car range) (cdr range) (format "%s %s" (gethash "code" one) (gethash "message" one)))))
          (gethash (lsp--fix-path-casing buffer-file-name) (lsp-diagnostics t))))

(defun client-fix-all ()
  (dolist (action (append (lsp-request "textDocument/codeAction"
                                       (list :textDocument (lsp--text-document-identifier)
                                             :range '(:start (:line 0 :character 0) :end (:line 0 :character 0))
                                             :context '(:diagnostics [] :only ["source.fixAll"]))) nil))
    (lsp-execute-code-action action)))

(defun client-stop ()
  (setq lsp-keep-workspace-alive nil)
  (lsp-workspace-shutdown (car (lsp-workspaces))))

(find-file (getenv "FILE"))
(steps)
